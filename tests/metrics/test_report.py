"""The report's page and tables: complete, escaped, and asking nothing of the network."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.metrics.clip import Drawn
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.metrics.report import Report, render
from emotalk_cli.metrics.summary import by_emotion, by_speaker, compare, means
from emotalk_cli.metrics.svg import ticks
from emotalk_cli.metrics.tables import write_csv, write_json
from emotalk_cli.schema import MadeBy, ScoreRow, Scores

VOID = {"meta", "br", "img"}


class Balanced(HTMLParser):
    """Raises where a tag is closed that was not the last one opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def rows() -> tuple[ScoreRow, ...]:
    rng = np.random.default_rng(0)
    made = []
    for clip in range(8):
        labels = (f"s{clip % 2}", ("happy", "sad")[clip % 2])
        for system, bias in (("two", 0.0), ("<one>", 0.3)):
            r, lve = 0.8 - bias + 0.05 * rng.standard_normal(), 10 + 20 * bias + rng.random()
            made.append(ScoreRow(system, f"c{clip}", "lip r", r, "", "higher", *labels))
            made.append(ScoreRow(system, f"c{clip}", "LVE", lve, "mm²", "lower", *labels))
        jerk = ScoreRow("reference", f"c{clip}", "jitter", 2.0 + clip, "m/s³", "", *labels)
        made.append(jerk)
    return tuple(made)


def page(rows: tuple[ScoreRow, ...]) -> str:
    systems = ("two", "<one>")
    curve = MouthOpening(np.sin(np.arange(50) / 4).astype("f"), np.ones(50, bool), "mm", 25.0)
    return render(
        Report(
            systems=systems,
            reference="real",
            rows=rows,
            means=means(rows),
            groups={"speaker": means(rows, by_speaker), "emotion": means(rows, by_emotion)},
            comparisons=compare(rows, systems),
            drawn=[Drawn(s, f"c{i}", curve, curve, b"JPEG") for s in systems for i in range(8)],
            notes=["c0 <lost>"],
            made_with="test",
        )
    )


def test_the_page_is_well_formed_and_alone(rows: tuple[ScoreRow, ...]) -> None:
    text = page(rows)
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    assert not parser.tags & {"script", "link", "iframe"}
    assert set(re.findall(r'src="([^"]{8})', text)) == {"data:ima"}
    assert not re.search(r"https?:|url\(|@import", text)


def test_the_page_tells_everything(rows: tuple[ScoreRow, ...]) -> None:
    text = page(rows)
    for part in ("By speaker", "By emotion", "Worst clips of two", "Best: ", "two minus &lt;one"):
        assert part in text
    assert "<one>" not in text and "c0 &lt;lost&gt;" in text
    assert text.count('class="curves"') == 3


def test_means_and_comparisons(rows: tuple[ScoreRow, ...]) -> None:
    found = {(mean.system, mean.metric): mean.interval for mean in means(rows)}
    two = [row.value for row in rows if row.system == "two" and row.metric == "lip r"]
    assert found["two", "lip r"].mean == pytest.approx(np.mean(two))
    assert found["two", "lip r"].low < np.mean(two) < found["two", "lip r"].high
    happy = [m for m in means(rows, by_emotion) if m.group == "happy" and m.system == "two"]
    assert all(mean.interval.count == 4 for mean in happy)
    tests = {c.metric: c for c in compare(rows, ["two", "<one>"])}
    assert tests["lip r"].test.difference.low > 0.2 and tests["LVE"].test.difference.high < -4
    assert tests["lip r"].test.p_holm < 0.05


def test_tables_can_be_read_back(rows: tuple[ScoreRow, ...], tmp_path: Path) -> None:
    scores = Scores(made_by=MadeBy("score", "0"), rows=rows)
    with write_csv(scores, tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(rows)
    assert float(lines[1]["value"]) == pytest.approx(rows[1].value, rel=1e-6)
    assert lines[1]["unit"] == "mm²"
    path = write_json(scores, {"all": means(rows[:1])}, [], [], ["note"], tmp_path / "s.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    (mean,) = content["means"]["all"]
    assert mean["interval"]["low"] is None  # one clip has no interval, and JSON no nan
    assert content["definitions"]["LVE"].startswith("Mean over frames")


def test_ticks_are_round() -> None:
    assert ticks(0, 3, 6) == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert ticks(-1.3, 9.1, 4) == [0, 5]


def test_means_say_of_how_many_clips_they_are(rows: tuple[ScoreRow, ...]) -> None:
    assert page(rows).count("<br><small>8 clips</small>") == 3
    assert "not scored on the same number" not in page(rows)
    fewer = tuple(row for row in rows if row.system != "<one>" or row.clip_id in ("c0", "c1", "c2"))
    text = page(fewer)
    assert "&lt;one&gt;<br><small>3 clips</small>" in text
    assert "not scored on the same number of clips" in text
    some = tuple(
        replace(row, value=np.nan) if row.metric == "LVE" and row.clip_id == "c5" else row
        for row in rows
    )
    assert page(some).count("<small>n 7</small>") == 2


def test_values_that_print_alike_have_no_spread() -> None:
    rows = tuple(
        ScoreRow("two", f"c{n}", "lip r", 1 - n * 1e-6, "", "higher", "s", "sad") for n in range(8)
    )
    assert '<svg class="histogram"' not in page(rows)
    assert "<b>1.00</b> <small>[1.00, 1.00]</small>" in page(rows)
    last = replace(rows[0], clip_id="c8", value=0.9)
    assert '<svg class="histogram"' in page((*rows, last))
