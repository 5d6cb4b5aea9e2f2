"""Answers: intervals that hold the truth, differences that are found, chance that is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.metrics.answer import (
    Contrast,
    Resamples,
    Spread,
    Table,
    adjusted,
    contrast,
    level,
    paired_effect,
    verdict,
)
from emotalk_cli.metrics.answer_page import Findings, html, markdown, write_findings
from emotalk_cli.metrics.frechet import Moments

SEEDS, CLIPS = 3, 40
UP = ("neutral: lip r", "", "higher")


def table(mean: float, rng: np.random.Generator, shared: float = 0.0) -> Table:
    """Clips differ much, seeds little."""
    clips = np.random.default_rng(9).normal(0, 0.1, CLIPS) * (shared > 0)
    own = rng.normal(0, 0.02, (SEEDS, CLIPS)) + rng.normal(0, 0.002, (SEEDS, 1))
    return Table(mean + clips + own)


def contrasted(one: Table, other: Table, draws: Resamples) -> Contrast:
    values = draws.of(one.measure), draws.of(other.measure)
    plain = np.ones(CLIPS)
    seeds = tuple([t.measure(n, plain) for n in range(len(t.values))] for t in (one, other))
    found = contrast(("a", "b"), UP, values, (seeds[0], seeds[1]), CLIPS, paired_effect(one, other))
    return adjusted([found])[0]


def test_a_difference_is_found_through_the_clips_spread() -> None:
    rng = np.random.default_rng(0)
    draws = Resamples.draw(SEEDS, ["x"] * CLIPS, 600)
    found = contrasted(table(0.82, rng, 1), table(0.80, rng, 1), draws)
    assert found.winner == "a" and found.agreeing == SEEDS
    assert found.difference.low < 0.02 < found.difference.high
    assert found.effect > 0.5
    assert contrasted(table(0.80, rng, 1), table(0.82, rng, 1), draws).winner == "b"


def test_chance_is_rarely_taken_for_a_difference() -> None:
    draws = Resamples.draw(SEEDS, ["x"] * CLIPS, 200)
    won = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        won += bool(contrasted(table(0.8, rng, 1), table(0.8, rng, 1), draws).winner)
    assert won <= 8  # three seeds understate a little


def test_a_system_without_seeds_is_compared_with_each_seed() -> None:
    rng = np.random.default_rng(1)
    still = Table(np.zeros((1, CLIPS)))
    found = contrasted(table(0.5, rng), still, Resamples.draw(SEEDS, ["x"] * CLIPS, 100))
    assert found.seeds == found.agreeing == SEEDS and found.winner == "a"


def test_missing_clips_are_left_out() -> None:
    values = np.array([[1.0, np.nan, 3.0]])
    assert Table(values).measure(0, np.ones(3)) == 2
    assert Table(values).measure(0, np.array([0.0, 5.0, 1.0])) == 3
    assert np.isnan(Table(values).measure(0, np.array([0.0, 1.0, 0.0])))


def test_speakers_are_drawn_whole_where_there_are_five() -> None:
    speakers = [f"s{n // 4}" for n in range(20)]
    weights = Resamples.draw(2, speakers, 50).weights[1:]
    groups = weights.reshape(50, 5, 4)
    assert (groups == groups[..., :1]).all() and (weights.sum(1) == 20).all()
    alone = Resamples.draw(2, ["s"] * 20, 50).weights[1:].reshape(50, 5, 4)
    assert not (alone == alone[..., :1]).all()


def test_spread_measures_whole_sets() -> None:
    rng = np.random.default_rng(2)
    real = [Moments.of(rng.normal(size=(30, 2))) for _ in range(5)]
    far = [Moments.of(rng.normal(3, 1, size=(30, 2))) for _ in range(5)]
    spread = Spread([real, far], real)
    assert spread.measure(0, np.ones(5)) == pytest.approx(0, abs=1e-9)
    assert spread.measure(1, np.ones(5)) == pytest.approx(18, rel=0.2)
    draws = Resamples.draw(2, ["x"] * 5, 30).of(spread.measure)
    assert draws.shape == (31,) and draws[0] == pytest.approx(9, rel=0.2)


def findings() -> Findings:
    rng = np.random.default_rng(3)
    draws = Resamples.draw(SEEDS, ["x"] * CLIPS, 100)
    one, other = table(0.9, rng), table(0.8, rng)
    values = draws.of(one.measure)
    contrasts = [contrasted(one, other, draws)]
    return Findings(
        title="Is <one> better?",
        question="Is it?",
        verdict=verdict(contrasts),
        systems=("a", "b"),
        levels=[level("a", UP, values, [0.9] * SEEDS, CLIPS)],
        contrasts=contrasts,
        others={"neutral: MOD": {"a": 1.5}},
        confusions={"a": [[2, 1], [0, 0]]},
        emotions=("happy", "sad"),
        facts={"clips": "40"},
        limits=["One speaker."],
        made_with="test",
    )


def test_the_answer_is_written_three_times(tmp_path: Path) -> None:
    found = findings()
    assert found.verdict == (
        "a is better on 1 of 1 outcomes (neutral: lip r); b on none; 0 stay open."
    )
    text, page = markdown(found), html(found)
    assert "| neutral: lip r ↑ | 0." in text and "| happy | 2 | 1 |" in text
    assert "&lt;one&gt;" in page and "http" not in page and "<script" not in page
    paths = [tmp_path / name for name in ("r.html", "r.md", "r.json")]
    write_findings(found, *paths)
    content = json.loads(paths[2].read_text(encoding="utf-8"))
    assert content["contrasts"][0]["first"] == "a"


def test_what_has_no_direction_is_not_won() -> None:
    rng = np.random.default_rng(4)
    draws = Resamples.draw(SEEDS, ["x"] * CLIPS, 100)
    one, other = table(0.9, rng), table(0.8, rng)
    values = draws.of(one.measure), draws.of(other.measure)
    found = contrast(("a", "b"), ("x", "", ""), values, ([0.9], [0.8]), CLIPS, 1.0)
    assert not adjusted([found])[0].winner
