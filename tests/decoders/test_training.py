"""Training learns, resumes exactly, stops on nonsense and leaves whole checkpoints."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from emotalk_cli.decoders.checkpoint import Decoder, load_decoder, load_tensors
from emotalk_cli.decoders.config import TrainConfig
from emotalk_cli.decoders.journal import read_journal
from emotalk_cli.decoders.training import Trainer
from emotalk_cli.errors import EmotalkError, StaleOutputError


def losses(folder: Path) -> list[str]:
    return [row["loss"] for row in read_journal(folder / "metrics.csv") if row["loss"]]


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
    unbroken = Trainer._step

    def stop_at_eight(self: Trainer) -> dict[str, float]:
        if self._state.step == 8:
            raise KeyboardInterrupt
        return unbroken(self)

    monkeypatch.setattr(Trainer, "_step", stop_at_eight)
    with pytest.raises(KeyboardInterrupt):
        run("lip", corpus, tmp_path / "broken", small_config)
    monkeypatch.setattr(Trainer, "_step", unbroken)
    with pytest.raises(StaleOutputError, match="stopped at step 6"):
        run("lip", corpus, tmp_path / "broken", small_config)
    run("lip", corpus, tmp_path / "broken", small_config, resume=True)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    whole = load_tensors(tmp_path / "whole" / "last" / "state.safetensors")
    broken = load_tensors(tmp_path / "broken" / "last" / "state.safetensors")
    assert all(whole[name].equal(broken[name]) for name in whole)


def test_a_finished_run_is_left_alone_and_another_refused(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "lip", small_config)
    before = (out / "model.safetensors").stat().st_mtime_ns
    run("lip", corpus, out, small_config)
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="seed"):
        run("lip", corpus, out, small_config, seed=1)


def test_no_number_stops_with_the_last_good_checkpoint(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    wild = dataclasses.replace(small_config, steps=60, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(EmotalkError, match="no number any more"):
        run("lip", corpus, tmp_path / "lip", wild)


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


def test_regression_is_the_same_network(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    out = run("lip", corpus, tmp_path / "r", dataclasses.replace(small_config, mode="regression"))
    decoder = load_decoder(out)
    assert decoder.spec.mode == "regression"
    assert all(torch.isfinite(p).all() for p in decoder.model.parameters())


def test_damaged_checkpoints_are_named(
    decoders: dict[str, Decoder],
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
) -> None:
    out = run("lip", corpus, tmp_path / "lip", small_config)
    weights = out / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(EmotalkError, match=r"model\.safetensors cannot be read"):
        load_decoder(out)
    (out / "config.json").write_text("{}")
    with pytest.raises(EmotalkError, match="no decoder's config"):
        load_decoder(out)
    with pytest.raises(EmotalkError, match="no checkpoint"):
        load_decoder(tmp_path)


def test_default_config_is_small() -> None:
    assert TrainConfig().network.hidden <= 256
