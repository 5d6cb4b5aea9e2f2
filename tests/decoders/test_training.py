"""Training learns, resumes exactly, stops on nonsense and leaves whole checkpoints."""

import dataclasses
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emotalk_cli import interrupts
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.journal import read_journal
from emotalk_cli.decoders.training.loop import steps_done
from emotalk_cli.errors import EmotalkError, StaleOutputError
from tests.decoders.training_help import assert_same_run, broken_at, ctrl_c, kill, losses


def test_overfit_learns_one_batch(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    quick = dataclasses.replace(
        small_config, steps=150, overfit=True, learning_rate=1e-2, validate_every=150,
        network=dataclasses.replace(small_config.network, hidden=32, input_dropout=0.0),
    )  # fmt: skip
    run("lip", corpus, tmp_path / "o", quick)
    curve = [float(value) for value in losses(tmp_path / "o")]
    assert np.mean(curve[-10:]) < 0.25 * np.mean(curve[:3])


def test_resumed_run_equals_the_unbroken_one(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run("lip", corpus, tmp_path / "whole", small_config)
    with broken_at(8, kill, monkeypatch), pytest.raises(KeyboardInterrupt):
        run("lip", corpus, tmp_path / "broken", small_config)
    assert steps_done(tmp_path / "broken") == 6
    run("lip", corpus, tmp_path / "broken", small_config)
    assert_same_run(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("step", [2, 8])
def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    resume: bool,
) -> None:
    run("lip", corpus, tmp_path / "whole", small_config)
    out = tmp_path / "broken"
    with broken_at(step, ctrl_c, monkeypatch), pytest.raises(KeyboardInterrupt):
        run("lip", corpus, out, small_config)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert steps_done(out) == len(losses(out)) == step + 1  # the step under way was finished
    other = dataclasses.replace(small_config, batch_size=3)
    with pytest.raises(StaleOutputError, match=r"options\.batch_size was 4, is now 3"):
        run("lip", corpus, out, other, resume=resume)
    run("lip", corpus, out, small_config, resume=resume)
    assert_same_run(out, tmp_path / "whole")
    assert (out / "README.md").is_file()


def test_a_second_ctrl_c_stops_at_once(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def twice() -> None:
        ctrl_c()
        ctrl_c()  # passed on by a launcher
        monkeypatch.setattr(interrupts, "SAME_STOP_S", 0.0)
        ctrl_c()

    with broken_at(8, twice, monkeypatch), pytest.raises(KeyboardInterrupt):
        run("lip", corpus, tmp_path / "lip", small_config)
    assert steps_done(tmp_path / "lip") == 6
    monkeypatch.undo()
    with broken_at(8, lambda: [ctrl_c(), ctrl_c()], monkeypatch), pytest.raises(KeyboardInterrupt):
        run("lip", corpus, tmp_path / "lip", small_config)
    assert steps_done(tmp_path / "lip") == 9


def test_killed_before_its_first_state_a_run_starts_again(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with broken_at(3, kill, monkeypatch), pytest.raises(KeyboardInterrupt):
        run("lip", corpus, tmp_path / "lip", small_config)
    assert len(losses(tmp_path / "lip")) == 3
    with pytest.raises(EmotalkError, match="nothing to resume in"):
        run("lip", corpus, tmp_path / "lip", small_config, resume=True)
    run("lip", corpus, tmp_path / "lip", small_config)
    assert len(losses(tmp_path / "lip")) == small_config.steps


def test_killed_before_its_card_a_run_writes_it(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "lip", small_config)
    card, rows = (out / "README.md").read_text(), losses(out)
    (out / "README.md").unlink()
    run("lip", corpus, out, small_config)
    assert (out / "README.md").read_text() == card and losses(out) == rows


def test_a_finished_run_is_made_longer(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "lip", small_config)
    before, longer = losses(out), dataclasses.replace(small_config, steps=18)
    with pytest.raises(StaleOutputError, match=r"steps was 12, is now 18[^$]*--resume"):
        run("lip", corpus, out, longer)
    run("lip", corpus, out, longer, resume=True)
    assert losses(out)[:12] == before and len(losses(out)) == 18 == steps_done(out)
    with pytest.raises(StaleOutputError, match=r"steps was 18, is now 12"):
        run("lip", corpus, out, small_config, resume=True)
    run("lip", corpus, out, small_config, overwrite=True)
    assert losses(out) == before


def test_the_largest_seed_trains(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    assert run("lip", corpus, tmp_path / "lip", small_config, seed=2**32 - 1).is_dir()


def test_a_finished_run_is_left_alone_and_another_refused(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "lip", small_config)
    before = (out / "model.safetensors").stat().st_mtime_ns
    run("lip", corpus, out, small_config)
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="seed"):
        run("lip", corpus, out, small_config, seed=1)


def test_stops_early_when_nothing_gets_better(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    idle = dataclasses.replace(
        small_config, steps=60, validate_every=2, patience=3, learning_rate=1e-30, weight_decay=0.0
    )
    out = run("lip", corpus, tmp_path / "lip", idle)
    assert steps_done(out) == 2 + 3 * 2
    assert (out / "README.md").is_file() and "8" in (out / "README.md").read_text()


def test_card_and_config_say_what_was_done(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("emo", corpus, tmp_path / "emo", small_config)
    config = json.loads((out / "config.json").read_text())
    assert config["made_by"]["stage"] == "train-emo"
    assert config["spec"]["outputs"][0] == "browInnerUp"
    card = (out / "README.md").read_text()
    assert "12 clips" in card and "hidden: 16" in card and "loss at fixed noise" in card


def test_single_has_the_parameters_of_both(decoders: dict[str, Decoder]) -> None:
    count = {
        group: sum(p.numel() for p in decoder.model.parameters())
        for group, decoder in decoders.items()
    }
    assert count["single"] == pytest.approx(count["lip"] + count["emo"], rel=0.05)


def test_single_is_as_wide_as_told(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    plain = dataclasses.replace(small_config, match_parameters=False)
    single = load_decoder(run("single", corpus, tmp_path / "s", plain))
    assert single.spec.network == small_config.network


def test_a_decoder_may_be_left_without_the_emotion(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    decoders: dict[str, Decoder],
    pair: Callable[..., Any],
    tmp_path: Path,
) -> None:
    deaf = dataclasses.replace(small_config, tell_emotion=False)
    lip = load_decoder(run("lip", corpus, tmp_path / "lip", deaf))
    assert set(lip.model.inputs) == {"speech"}
    happy, angry = np.eye(8, dtype=np.float32)[[4, 0]]
    made = [
        sample_motion(
            lip, decoders["emo"], pair("x", 5)[1], np.tile(weights, (30, 1)), frames=30, fps=25.0,
            draw=Draw(close_lips=False),
        )
        for weights in (happy, happy, angry)
    ]  # fmt: skip
    np.testing.assert_array_equal(made[0].expression, made[1].expression)
    assert (made[0].expression != made[2].expression).any()  # the emotion decoder was told


def test_sound_of_another_clip_is_worth_less(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    quick = dataclasses.replace(
        small_config, steps=120, learning_rate=1e-2, validate_every=120,
        network=dataclasses.replace(small_config.network, hidden=32, input_dropout=0.0),
    )  # fmt: skip
    out = run("lip", corpus, tmp_path / "lip", quick)
    row = [row for row in read_journal(out / "metrics.csv") if row["validation"]][-1]
    assert float(row["opening_r"]) > float(row["shuffled_r"]) + 0.3
    assert float(row["lve_mm2"]) < float(row["shuffled_lve_mm2"])


def test_bfloat16_learns_as_well(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    run("lip", corpus, tmp_path / "whole", small_config)
    run("lip", corpus, tmp_path / "half", dataclasses.replace(small_config, precision="bf16"))
    whole, half = (np.array(losses(tmp_path / n), float) for n in ("whole", "half"))
    assert (whole != half).any()
    np.testing.assert_allclose(half, whole, rtol=0.05)


def test_regression_is_the_same_network(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "r", dataclasses.replace(small_config, mode="regression"))
    decoder = load_decoder(out)
    assert decoder.spec.mode == "regression"
    assert all(torch.isfinite(p).all() for p in decoder.model.parameters())


def test_default_config_is_small() -> None:
    assert TrainConfig().network.hidden <= 256
