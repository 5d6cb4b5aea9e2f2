"""The style of the report's page: light and dark, wide and narrow, no font or script fetched."""

STYLE = """
:root{color-scheme:light dark;--paper:#fdfdfc;--ink:#1d1f23;--soft:#666b74;--line:#e3e4e2;
--predicted:#c2410c;--reference:#7a8699;--tint:#f4f4f1;--good:#15803d;--bad:#b91c1c}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e7e7e4;--soft:#9a9fa8;
--line:#2e3238;--predicted:#fb923c;--reference:#8b96a8;--tint:#1e2125;--good:#4ade80;--bad:#f87171}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:980px;margin:0 auto;padding:40px 28px 80px}
h1{font-size:26px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:18px;margin:44px 0 10px;letter-spacing:-.005em}
h3{font-size:14px;margin:22px 0 4px;font-weight:600}
p{margin:6px 0 12px;max-width:70ch}
.soft,caption,th,small{color:var(--soft)}
.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;font-size:13px;text-align:right;vertical-align:bottom;padding:6px 10px}
td{padding:6px 10px;text-align:right;border-top:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:last-child,td:last-child{padding-right:0}
tr.family td{border-top:0;padding-top:20px;font-weight:600;color:var(--ink)}
tr.family+tr td{border-top:1px solid var(--line)}
td small{font-size:12.5px}
td b{font-weight:600}
table.tight td,table.tight th{padding-left:6px;padding-right:6px}
table.tight td small{display:block}
table.tight td{vertical-align:top}
.better{color:var(--good)}.worse{color:var(--bad)}
.facts{display:flex;flex-wrap:wrap;gap:8px 36px;margin:22px 0 0;padding:0}
.facts div{min-width:90px}
.facts dt{font-size:13px;color:var(--soft)}
.facts dd{margin:0;font-size:22px;font-weight:600;font-variant-numeric:tabular-nums}
svg{display:block;overflow:visible}
svg.curves{width:100%;height:auto;margin:4px 0 2px}
svg text{font-size:12px;fill:var(--soft)}
svg .right{text-anchor:end}svg .middle{text-anchor:middle}
svg .grid{stroke:var(--line);fill:none}
svg .reference,svg .predicted{fill:none;stroke-linejoin:round;vector-effect:non-scaling-stroke}
svg .reference{stroke:var(--reference);stroke-width:3.2;opacity:.75}
svg .predicted{stroke:var(--predicted);stroke-width:1.7}
img.frames{display:block;width:100%;height:auto;border-radius:4px;
margin:6px 0 14px}
svg.histogram{width:120px;height:24px;margin-left:auto}
svg .bars{fill:var(--reference);opacity:.55}
svg .mean{stroke:var(--predicted);stroke-width:1.6}
.key{display:inline-block;width:18px;height:0;border-top:3px solid;vertical-align:middle;
margin:0 6px 2px 0}
.key.reference{border-color:var(--reference)}.key.predicted{border-color:var(--predicted);margin-left:14px}
dl.terms{display:grid;grid-template-columns:minmax(120px,max-content) 1fr;gap:7px 24px;margin:0}
dl.terms dt{font-weight:600}dl.terms dd{margin:0;color:var(--soft);max-width:72ch}
ul{padding-left:18px;margin:6px 0}
li{margin:3px 0;overflow-wrap:anywhere}
td.name{white-space:normal;overflow-wrap:anywhere;min-width:96px}
@media(max-width:640px){main{padding:24px 16px 60px}h1{font-size:22px}
th,td{padding:6px 6px}.spread{display:none}td:not(.name) small{display:block}
.facts{gap:8px 22px}.facts dd{font-size:18px}
dl.terms{grid-template-columns:1fr;gap:2px}dl.terms dd{margin-bottom:8px}
svg text{font-size:19px}}
"""
