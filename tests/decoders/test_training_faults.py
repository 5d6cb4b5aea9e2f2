"""What goes wrong in training says what to do, and the last good checkpoint stays."""

import dataclasses
import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.loop import steps_done
from emotalk_cli.errors import EmotalkError
from tests.decoders.training_help import assert_same_run, broken_at


def test_nothing_of_others_is_overwritten(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    notes = tmp_path / "README.md"
    notes.write_text("mine")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(EmotalkError, match=r"not empty .* README\.md"):
            run("lip", corpus, tmp_path, small_config, **options)
        with pytest.raises(EmotalkError, match="one of the input folders"):
            run("lip", corpus, corpus / "audio", small_config, **options)
        with pytest.raises(EmotalkError, match="is a file"):
            run("lip", corpus, notes, small_config, **options)
    assert notes.read_text() == "mine" and list(tmp_path.iterdir()) == [notes]
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".gitkeep").touch()
    assert (run("lip", corpus, empty, small_config) / "model.safetensors").is_file()


def test_resume_needs_a_state_and_excludes_overwrite(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(EmotalkError, match="nothing to resume in"):
        run("lip", corpus, tmp_path / "lip", small_config, resume=True)
    with pytest.raises(EmotalkError, match="exclude"):
        run("lip", corpus, tmp_path / "lip", small_config, resume=True, overwrite=True)


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999999999999999])
def test_seeds_out_of_range_are_refused(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path, seed: int
) -> None:
    with pytest.raises(EmotalkError, match=f"seed is {seed}"):
        run("lip", corpus, tmp_path / "lip", small_config, seed=seed)
    assert not (tmp_path / "lip").exists()


def test_no_number_stops_with_the_last_good_checkpoint(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    wild = dataclasses.replace(small_config, steps=60, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(EmotalkError, match="no number any more"):
        run("lip", corpus, tmp_path / "lip", wild)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory."),
     RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")],
)  # fmt: skip
def test_too_little_memory_says_what_to_do(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def exhaust() -> None:
        raise error

    with (
        broken_at(8, exhaust, monkeypatch),
        pytest.raises(EmotalkError, match="too small for batches of 4 windows") as caught,
    ):
        run("lip", corpus, tmp_path / "lip", small_config)
    assert "batch_size" in caught.value.next_step
    assert load_decoder(tmp_path / "lip").spec.group == "lip"  # the best until then


def test_other_errors_keep_their_names(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise RuntimeError("shapes differ")

    with broken_at(2, fail, monkeypatch), pytest.raises(RuntimeError, match="shapes differ"):
        run("lip", corpus, tmp_path / "lip", small_config)


def test_a_full_disk_leaves_the_last_good_checkpoint(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "lip"

    def fill_disk() -> None:
        def full(self: Path, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)

    with broken_at(8, fill_disk, monkeypatch), pytest.raises(EmotalkError, match="No space left"):
        run("lip", corpus, out, small_config)
    monkeypatch.undo()
    assert steps_done(out) == 6 and load_decoder(out).spec.group == "lip"
    assert not list(out.rglob("*.part")) and not list(out.rglob(".*"))
    run("lip", corpus, out, small_config)
    run("lip", corpus, tmp_path / "whole", small_config)
    assert_same_run(out, tmp_path / "whole")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_half_precision_needs_a_gpu(
    run: Callable[..., Path], corpus: Path, small_config: TrainConfig, tmp_path: Path
) -> None:
    with pytest.raises(EmotalkError, match="fp16 needs a GPU"):
        run("lip", corpus, tmp_path / "lip", dataclasses.replace(small_config, precision="fp16"))


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
