"""The answer of an experiment as a page, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from emotalk_cli.metrics.answer import Contrast, Level, verdict
from emotalk_cli.metrics.base import HIGHER, LOWER
from emotalk_cli.metrics.report_style import STYLE
from emotalk_cli.metrics.statistics import CONFIDENCE, Interval
from emotalk_cli.metrics.tables import finite
from emotalk_cli.safe_files import atomic_path

ARROWS = {LOWER: "↓", HIGHER: "↑", "": ""}
REFERENCE = "reference"
METHOD = (
    f"Means over clips and seeds, in brackets the {CONFIDENCE:.0%} interval from resampling seeds "
    "and clips (whole speakers where there are five or more) with replacement, both at once. A "
    "difference is first minus second on the same clips; p is twice the smaller share of its "
    "resamples on one side of zero, corrected by Holm over the outcomes of the pair; a better "
    "system is named where p is below 0.05 and the interval leaves zero out. Effect: mean over "
    "standard deviation of the clips' differences. The outcomes were named in the plan before "
    "any was measured."
)


@dataclass(frozen=True)
class Findings:
    """All that the page tells; keys of `others` are metrics, of `confusions` systems."""

    title: str
    question: str
    verdict: str
    systems: tuple[str, ...]
    levels: Sequence[Level]
    contrasts: Sequence[Contrast]
    others: Mapping[str, Mapping[str, float]]
    confusions: Mapping[str, Sequence[Sequence[int]]]
    emotions: tuple[str, ...]
    facts: Mapping[str, str]
    limits: Sequence[str]
    made_with: str
    meanings: Mapping[str, str] = field(default_factory=dict)


def write_findings(findings: Findings, page: Path, text: Path, data: Path) -> None:
    """Write all three, UTF-8, each whole or not at all."""
    content = json.dumps(finite(asdict(findings)), ensure_ascii=False, indent=1)
    for path, written in (
        (data, content + "\n"),
        (text, markdown(findings)),
        (page, html(findings)),
    ):
        with atomic_path(path) as temporary:
            temporary.write_text(written, encoding="utf-8")


def markdown(findings: Findings) -> str:
    """The findings as a Markdown document."""
    lines = [f"# {findings.title}", "", findings.question, "", f"**{findings.verdict}**", ""]
    lines += ["## What was measured", ""]
    lines += [f"- {name}: {value}" for name, value in findings.facts.items()]
    lines += ["", METHOD, "", "## Outcomes", ""]
    lines += _markdown_table(*_levels(findings))
    for pair in _pairs(findings):
        lines += ["", f"## {pair[0]} minus {pair[1]}", "", _said(findings, pair), ""]
        lines += _markdown_table(*_contrasts(findings, pair))
    if findings.confusions:
        lines += ["", "## Emotion: label (row) and what was read (column)", ""]
    for name in findings.confusions:
        lines += [f"{name}:", "", *_markdown_table(*_confusion(findings, name)), ""]
    lines += ["", "## Also measured", "", *_markdown_table(*_others(findings))]
    lines += ["", "## What the names mean", ""]
    lines += [f"- {name}: {meaning}" for name, meaning in findings.meanings.items()]
    lines += ["", "## What it does not show", ""]
    lines += [f"- {limit}" for limit in findings.limits]
    return "\n".join([*lines, "", f"Made with `{findings.made_with}`.", ""])


def html(findings: Findings) -> str:
    """The findings as one page that needs no network and no script."""
    parts = [
        f"<h1>{escape(findings.title)}</h1><p>{escape(findings.question)}</p>",
        f"<p><b>{escape(findings.verdict)}</b></p>",
        f'<h2>What was measured</h2>{_terms(findings.facts)}<p class="soft">{METHOD}</p>',
        f"<h2>Outcomes</h2>{_html_table(*_levels(findings))}",
    ]
    for pair in _pairs(findings):
        title = f"{escape(pair[0])} minus {escape(pair[1])}"
        table = _html_table(*_contrasts(findings, pair))
        parts.append(f"<h2>{title}</h2><p>{escape(_said(findings, pair))}</p>{table}")
    if findings.confusions:
        parts.append("<h2>Emotion: label (row) and what was read (column)</h2>")
    for name in findings.confusions:
        parts.append(f"<h3>{escape(name)}</h3>{_html_table(*_confusion(findings, name))}")
    limits = "".join(f"<li>{escape(limit)}</li>" for limit in findings.limits)
    parts.append(f"<h2>Also measured</h2>{_html_table(*_others(findings))}")
    parts.append(f"<h2>What the names mean</h2>{_terms(findings.meanings)}")
    parts.append(f"<h2>What it does not show</h2><ul>{limits}</ul>")
    parts.append(f'<p class="soft">{escape(findings.made_with)}</p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(findings.title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


Table = tuple[list[str], list[list[str]]]


def _pairs(findings: Findings) -> list[tuple[str, str]]:
    return list(dict.fromkeys((c.first, c.second) for c in findings.contrasts))


def _said(findings: Findings, pair: tuple[str, str]) -> str:
    return verdict([c for c in findings.contrasts if (c.first, c.second) == pair])


def _levels(findings: Findings) -> Table:
    of = {(one.outcome, one.system): one for one in findings.levels}
    outcomes = list(dict.fromkeys(one.outcome for one in findings.levels))
    shown = [*findings.systems, *([REFERENCE] if any(s == REFERENCE for _, s in of) else [])]
    rows = []
    for outcome in outcomes:
        found = [of.get((outcome, system)) for system in shown]
        any_one = next(one for one in found if one)
        cells = [_interval(one.interval) if one else "" for one in found]
        rows.append([_label(outcome, any_one.unit, any_one.better), *cells])
    return ["", *shown], rows


def _contrasts(findings: Findings, pair: tuple[str, str]) -> Table:
    rows = [
        [
            _label(c.outcome, c.unit, c.better),
            _interval(c.difference),
            "" if np.isnan(c.p_holm) else f"{c.p_holm:.3f}",
            "" if np.isnan(c.effect) else _number(c.effect),
            f"{c.agreeing}/{c.seeds}",
            c.winner,
        ]
        for c in findings.contrasts
        if (c.first, c.second) == pair
    ]
    return ["", "difference", "p", "effect", "seeds", "better"], rows


def _confusion(findings: Findings, name: str) -> Table:
    table = findings.confusions[name]
    shown = [n for n, row in enumerate(table) if sum(row)]
    rows = [[findings.emotions[n], *(str(count) if count else "·" for count in table[n])]
            for n in shown]  # fmt: skip
    return ["", *findings.emotions], rows


def _others(findings: Findings) -> Table:
    rows = [
        [metric, *(_number(of[name]) if name in of else "" for name in findings.systems)]
        for metric, of in findings.others.items()
    ]
    return ["", *findings.systems], rows


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(
        f'<tr><td class="name">{escape(row[0])}</td>'
        + "".join(f"<td>{_split(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="tight"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _terms(of: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in of.items())
    return f'<dl class="terms">{rows}</dl>'


def _split(cell: str) -> str:
    """A value above its interval."""
    value, bracket, rest = cell.partition(" [")
    return escape(value) + (f"<small>[{escape(rest)}</small>" if bracket else "")


def _label(name: str, unit: str, better: str) -> str:
    return " ".join(part for part in (name, f"({unit})" if unit else "", ARROWS[better]) if part)


def _interval(interval: Interval) -> str:
    if np.isnan(interval.low):
        return _number(interval.mean)
    return f"{_number(interval.mean)} [{_number(interval.low)}, {_number(interval.high)}]"


def _number(value: float) -> str:
    """Three significant digits, with a true minus sign."""
    if np.isnan(value):
        return "–"
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if abs(value) > 1e-9 else 0
    text = f"{value:.{min(digits, 4)}f}"
    return text.replace("-", "−") if float(text) else "0"
