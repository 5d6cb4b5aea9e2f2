"""report.html: one page that shows what was measured, readable without network or scripts."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from emotalk_cli.metrics.base import HIGHER, LOWER
from emotalk_cli.metrics.clip import Drawn
from emotalk_cli.metrics.evaluate import FAMILIES, definition_of, metric_class
from emotalk_cli.metrics.report_style import STYLE
from emotalk_cli.metrics.spread import Confusion
from emotalk_cli.metrics.statistics import CONFIDENCE, RESAMPLES, Interval
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM, Comparison, Mean
from emotalk_cli.metrics.svg import curves, histogram
from emotalk_cli.safe_files import atomic_path
from emotalk_cli.schema import ScoreRow

HEADLINE = ("lip r", "|lip lag|", "lip amplitude", "LVE", "MVE", "|FDD|", "M-LMD", "SSIM")
RANKED_BY = ("lip r", "M-LMD", "LVE")  # the first that was measured ranks the clips
WORST_SHOWN, WORST_SEEN = 10, 4
SIGNIFICANT = 0.05
METHOD = (
    "Tracks are compared on the reference's own face and, for landmarks, with its head pose, so "
    "that only the motion of the face counts; both sides have the reference's frame rate and the "
    "length of the shorter. Frames in which either face was lost are left out.",
    "Where five or more speakers are known, intervals and tests draw whole speakers; else they "
    "treat clips as independent and speak of more clips of the same speakers, not of others. "
    "Landmark figures depend on the points and the crop used here; compare "
    "them with other runs of this program, not with tables in papers.",
)
ARROWS = {LOWER: "↓", HIGHER: "↑", "": ""}


@dataclass(frozen=True)
class Report:
    """All that the page tells. `reference` is what the predictions were compared with."""

    systems: tuple[str, ...]
    reference: str
    rows: tuple[ScoreRow, ...]
    means: Sequence[Mean]
    groups: Mapping[str, Sequence[Mean]]
    comparisons: Sequence[Comparison]
    drawn: Sequence[Drawn]
    notes: Sequence[str]
    made_with: str
    confusions: Sequence[Confusion] = ()


def write_report(report: Report, path: Path) -> Path:
    """Write the page, self-contained UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(render(report), encoding="utf-8")
    return path


def render(report: Report) -> str:
    """The page's HTML."""
    sections = [
        _head(report),
        _means(report),
        _comparisons(report.comparisons),
        *(_groups(kind, means) for kind, means in report.groups.items()),
        _confusions(report.confusions),
        _curves(report),
        _worst(report),
        _notes(report.notes),
        _definitions(report.rows),
    ]
    title = escape(f"{', '.join(report.systems)} against {report.reference}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Scores: {title}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _head(report: Report) -> str:
    clips = {row.clip_id for row in report.rows} - {""}
    speakers = {row.speaker for row in report.rows if row.speaker}
    emotions = {row.emotion for row in report.rows if row.emotion}
    seconds = sum(
        len(d.reference.values) / d.reference.fps
        for d in report.drawn
        if d.system == report.systems[0]
    )
    facts = [
        (_plural("clip", len(clips)), len(clips)),
        ("minutes", f"{seconds / 60:.1f}"),
        (_plural("speaker", len(speakers)), len(speakers)),
        (_plural("emotion", len(emotions)), len(emotions)),
    ]
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts if value)
    return (
        f"<h1>{escape(', '.join(report.systems))} against {escape(report.reference)}</h1>"
        f'<p class="soft">{escape(report.made_with)}</p><dl class="facts">{cells}</dl>'
    )


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"


def _means(report: Report) -> str:
    systems = [*report.systems]
    if any(mean.system == REFERENCE_SYSTEM for mean in report.means):
        systems.append(REFERENCE_SYSTEM)
    table: dict[str, dict[str, Mean]] = {}
    for mean in report.means:
        table.setdefault(mean.metric, {})[mean.system] = mean
    clips = _clips(report.rows, systems)
    head = "".join(
        f"<th>{escape(name)}<br><small>{clips[name]} {_plural('clip', clips[name])}</small></th>"
        for name in systems
    )
    body = []
    for family in FAMILIES:
        metrics = [name for name in table if metric_class(name).family == family]
        if metrics:
            body.append(f'<tr class="family"><td colspan="{len(systems) + 2}">{family}</td></tr>')
        body += [_means_row(name, table[name], clips, systems, report) for name in metrics]
    return (
        f"<h2>Means over clips</h2>"
        f'<p class="soft">In brackets the {CONFIDENCE:.0%} interval of the mean from {RESAMPLES} '
        "bootstrap resamples. ↓ lower is better, ↑ higher is better. n: of how many clips, where "
        f"not of all.{_uneven(report.systems, clips)}"
        f'<span class="spread"> On the right, how the clips of {escape(report.systems[0])} '
        "spread, with their mean.</span></p>"
        f'<div class="scroll"><table><thead><tr><th></th>{head}<th class="spread"></th></tr>'
        f"</thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _clips(rows: Sequence[ScoreRow], systems: Iterable[str]) -> dict[str, int]:
    """How many clips each system was measured on."""
    return {
        system: len({row.clip_id for row in rows if row.system == system} - {""})
        for system in systems
    }


def _uneven(systems: Sequence[str], clips: Mapping[str, int]) -> str:
    """A warning where the means of systems are of different clips."""
    if len({clips[name] for name in systems}) < 2:
        return ""
    return (
        " <b>The systems were not scored on the same number of clips: compare them by the "
        "differences clip by clip below, not by these means.</b>"
    )


def _means_row(
    name: str,
    of: Mapping[str, Mean],
    clips: Mapping[str, int],
    systems: Sequence[str],
    report: Report,
) -> str:
    any_mean = next(iter(of.values()))
    cells = "".join(
        f"<td>{_interval(of[one].interval, clips[one])}</td>" if one in of else "<td></td>"
        for one in systems
    )
    first = report.systems[0]
    values = [row.value for row in report.rows if row.metric == name and row.system == first]
    spread = histogram(np.array(values), f"{escape(name)} over {len(values)} clips")
    return (
        f'<tr><td class="name">{_label(name, any_mean.unit, any_mean.better)}</td>{cells}'
        f'<td class="spread">{spread}</td></tr>'
    )


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    blocks = []
    for pair in dict.fromkeys((c.first, c.second) for c in comparisons):
        rows = "".join(_comparison(c) for c in comparisons if (c.first, c.second) == pair)
        blocks.append(
            f"<h3>{escape(pair[0])} minus {escape(pair[1])}</h3>"
            '<div class="scroll"><table><thead><tr><th></th><th>difference</th><th>p</th>'
            f"<th>better</th></tr></thead><tbody>{rows}</tbody></table></div>"
        )
    return (
        "<h2>Systems compared</h2>"
        '<p class="soft">Clip by clip: mean difference with its interval, and the p value of a '
        "two-sided sign-flip permutation test, adjusted by Holm over the metrics of each pair of "
        f"systems. A better system is named where p &lt; {SIGNIFICANT}.</p>{''.join(blocks)}"
    )


def _comparison(comparison: Comparison) -> str:
    test = comparison.test
    better = ""
    if test.p_holm < SIGNIFICANT:
        first_better = (test.difference.mean < 0) == (comparison.better == LOWER)
        better = escape(comparison.first if first_better else comparison.second)
    p = "" if np.isnan(test.p_holm) else f"{test.p_holm:.4f}"
    return (
        f'<tr><td class="name">{_label(comparison.metric, comparison.unit, comparison.better)}</td>'
        f"<td>{_interval(test.difference)}</td><td>{p}</td><td>{better}</td></tr>"
    )


def _groups(kind: str, means: Sequence[Mean]) -> str:
    groups = sorted({mean.group for mean in means})
    if len(groups) < 2:
        return ""
    shown = [name for name in HEADLINE if any(mean.metric == name for mean in means)]
    of = {(mean.system, mean.group, mean.metric): mean for mean in means}
    systems = [s for s in dict.fromkeys(mean.system for mean in means) if s != REFERENCE_SYSTEM]
    heads = []
    for name in shown:
        mean = next(mean for mean in means if mean.metric == name)
        heads.append(f"<th>{_label(name, mean.unit, mean.better)}</th>")
    body = []
    for system in systems:
        if len(systems) > 1:
            body.append(
                f'<tr class="family"><td colspan="{len(shown) + 2}">{escape(system)}</td></tr>'
            )
        for group in groups:
            found = [of.get((system, group, name)) for name in shown]
            count = max((mean.interval.count for mean in found if mean), default=0)
            cells = "".join(f"<td>{_interval(m.interval) if m else ''}</td>" for m in found)
            body.append(f"<tr><td>{escape(group)}</td><td>{count}</td>{cells}</tr>")
    return (
        f'<h2>By {escape(kind)}</h2><div class="scroll"><table class="tight"><thead><tr><th></th>'
        f"<th>clips</th>{''.join(heads)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _confusions(confusions: Sequence[Confusion]) -> str:
    if not confusions:
        return ""
    blocks = []
    for one in confusions:
        head = "".join(f"<th>{escape(name)}</th>" for name in one.emotions)
        rows = "".join(_confusion_row(one, n) for n, row in enumerate(one.counts) if sum(row))
        right = sum(one.counts[n][n] for n in range(len(one.emotions)))
        total = sum(map(sum, one.counts))
        blocks.append(
            f"<h3>{escape(one.system)}, {escape(one.metric)}: {right} of {total} right</h3>"
            f'<div class="scroll"><table class="tight confusion"><thead><tr><th></th>{head}</tr>'
            f"</thead><tbody>{rows}</tbody></table></div>"
        )
    return (
        '<h2>Emotions read</h2><p class="soft">Each row is a label, each column what was read in '
        f"the clips of that label.</p>{''.join(blocks)}"
    )


def _confusion_row(confusion: Confusion, row: int) -> str:
    counts, cells = confusion.counts[row], ""
    for column, count in enumerate(counts):
        share = round(100 * count / sum(counts))
        colour = "good" if column == row else "bad"
        style = f"background:color-mix(in srgb,var(--{colour}) {share // 2}%,transparent)"
        cells += f'<td style="{style}">{count or "·"}</td>'
    return f'<tr><td class="name">{escape(confusion.emotions[row])}</td>{cells}</tr>'


def _curves(report: Report) -> str:
    system = report.systems[0]
    metric, ranked = _ranking(report.rows, system)
    of = {d.clip_id: d for d in report.drawn if d.system == system}
    ranked = [row for row in ranked if row.clip_id in of]
    if not ranked:
        return ""
    places = {"Best": 0, "Median": len(ranked) // 2, "Worst": len(ranked) - 1}
    if len(ranked) < 3:
        places = {row.clip_id: place for place, row in enumerate(ranked)}
    unit = of[ranked[0].clip_id].reference.unit
    blocks = []
    for name, place in places.items():
        row = ranked[place]
        clip = of[row.clip_id]
        label = escape(f"{row.clip_id}, {metric} {_number(row.value)}")
        heading = label if name == row.clip_id else f"{name}: {label}"
        drawing = curves(clip.predicted, clip.reference, label)
        blocks.append(f"<h3>{heading}</h3>{drawing}{_frames(clip)}")
    return (
        f"<h2>Lip opening</h2><p class='soft'>Height between the inner edges of the lips in {unit}."
        f"<br><span class='key reference'></span>reference<span class='key predicted'></span>"
        f"{escape(system)}</p>{''.join(blocks)}"
    )


def _frames(clip: Drawn) -> str:
    """Frames of both videos, inside the page."""
    if not clip.frames_jpeg:
        return ""
    data = base64.b64encode(clip.frames_jpeg).decode("ascii")
    about = escape(f"Six frames of {clip.clip_id}: the reference above, {clip.system} below")
    return f'<img class="frames" alt="{about}" src="data:image/jpeg;base64,{data}">'


def _worst(report: Report) -> str:
    system = report.systems[0]
    metric, ranked = _ranking(report.rows, system)
    if len(ranked) < 3:
        return ""
    worst = ranked[: -WORST_SHOWN - 1 : -1]
    of = {(row.clip_id, row.metric): row for row in report.rows if row.system == system}
    shown = [name for name in HEADLINE if (worst[0].clip_id, name) in of]
    heads = []
    for name in shown:
        row = of[worst[0].clip_id, name]
        heads.append(f"<th>{_label(name, row.unit, row.better)}</th>")
    body = []
    for row in worst:
        values = [of.get((row.clip_id, name)) for name in shown]
        cells = "".join(f"<td>{_number(v.value) if v else ''}</td>" for v in values)
        body.append(f'<tr><td class="name">{escape(row.clip_id)}</td>{cells}</tr>')
    return (
        f"<h2>Worst clips of {escape(system)} by {escape(metric)}</h2>"
        f'<div class="scroll"><table><thead><tr><th></th>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{_worst_seen(report, worst)}"
    )


def _worst_seen(report: Report, worst: Sequence[ScoreRow]) -> str:
    """Frames of the next worst clips, the reference above; where there are none, their curves."""
    of = {d.clip_id: d for d in report.drawn if d.system == report.systems[0]}
    blocks = []
    for row in worst[1:WORST_SEEN]:  # the very worst stands above, with its curve
        clip = of[row.clip_id]
        label = escape(f"{row.clip_id}, {row.metric} {_number(row.value)}")
        shown = _frames(clip) or curves(clip.predicted, clip.reference, label)
        blocks.append(f"<h3>{label}</h3>{shown}")
    return "".join(blocks)


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return f"<h2>Notes</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


def _definitions(rows: Iterable[ScoreRow]) -> str:
    names = dict.fromkeys(row.metric.partition(",")[0] for row in rows)
    terms = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(definition_of(name))}</dd>" for name in names
    )
    method = "".join(f"<p>{escape(text)}</p>" for text in METHOD)
    return f'<h2>What the metrics mean</h2>{method}<dl class="terms">{terms}</dl>'


def _ranking(rows: Iterable[ScoreRow], system: str) -> tuple[str, list[ScoreRow]]:
    """The metric by which clips are ranked, and their rows, best first."""
    own = [row for row in rows if row.system == system]
    for metric in RANKED_BY:
        ranked = [row for row in own if row.metric == metric and np.isfinite(row.value)]
        if ranked:
            high_is_good = ranked[0].better == HIGHER
            return metric, sorted(ranked, key=lambda row: row.value, reverse=high_is_good)
    return "", []


def _label(name: str, unit: str, better: str) -> str:
    unit_text = f" <small>{escape(unit)}</small>" if unit else ""
    return f"{escape(name)}{unit_text}&nbsp;{ARROWS[better]}"


def _interval(interval: Interval, clips: int | None = None) -> str:
    """The mean with its interval; and of how many clips, where those are not all `clips`."""
    mean = f"<b>{_number(interval.mean)}</b>"
    if clips is not None and 1 < interval.count != clips:
        mean += f" <small>n {interval.count}</small>"
    if np.isnan(interval.low):
        return mean
    return f"{mean} <small>[{_number(interval.low)}, {_number(interval.high)}]</small>"


def _number(value: float) -> str:
    """Three significant digits, with a true minus sign."""
    if np.isnan(value):
        return "–"
    size = float(f"{abs(value):.2e}")  # rounded first: 0.9999 has as many digits as 1
    digits = max(0, 2 - int(np.floor(np.log10(size)))) if size > 1e-9 else 0
    text = f"{value:.{min(digits, 3)}f}"
    return text.replace("-", "−") if float(text) else "0"
