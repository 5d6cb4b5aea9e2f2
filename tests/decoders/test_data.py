"""Records become takes, are split by a fixed rule, and are cut into windows on one clock."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.decoders.lips.mouth import Mouth, mouth_of
from emotalk_cli.decoders.spec import Spec
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.data import (
    Records,
    Take,
    is_held_out,
    make_takes,
    read_records,
    split,
)
from emotalk_cli.decoders.training.run import make_spec
from emotalk_cli.decoders.training.windows import Windows
from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import FaceGeometry
from emotalk_cli.progress import Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack

Learned = tuple[Records, Mouth, list[Take], Spec]


@pytest.fixture(scope="module")
def learned(corpus: Path, face: FaceGeometry, small_config: TrainConfig) -> Learned:
    records = read_records(corpus / "tracks", corpus / "audio", Quiet())
    mouth = mouth_of(face, np.zeros(2, np.float32))
    takes = make_takes(records, "lip", mouth)
    return records, mouth, takes, make_spec("lip", records.facts, mouth, takes, small_config)


def test_variants_belong_to_their_clip(learned: Learned) -> None:
    records, _, takes, _ = learned
    assert len(takes) == 12
    assert all(len(take.heard) == 2 for take in takes)
    assert records.facts.speakers == 2


def test_held_out_is_a_fixed_tenth() -> None:
    names = [f"clip{n}" for n in range(4000)]
    held = [name for name in names if is_held_out(name, 0.1)]
    assert 340 < len(held) < 460
    assert is_held_out("s1_bbaf2n", 0.1) == is_held_out("s1_bbaf2n", 0.1)


def test_split_keeps_the_corpus_own(learned: Learned, small_config: TrainConfig) -> None:
    takes = [
        dataclasses.replace(take, split=("train", "val", "test")[n % 3])
        for n, take in enumerate(learned[2])
    ]
    training, validation = split(takes, small_config)
    assert {take.split for take in training} == {"train"}
    assert {take.split for take in validation} == {"val"}


def test_split_by_speakers_shares_none(learned: Learned, small_config: TrainConfig) -> None:
    config = dataclasses.replace(small_config, validation="speakers", validation_share=0.5)
    training, validation = split(learned[2], config)
    assert not {t.speaker for t in training} & {t.speaker for t in validation}


def test_nothing_pairs(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmotalkError, match="No clip has both"):
        read_records(corpus / "tracks", tmp_path / "empty", Quiet())


def test_mixed_records_are_refused(
    tmp_path: Path, pair: Callable[..., tuple[FaceTrack, AudioFeatures]]
) -> None:
    for n, fps in enumerate((25.0, 30.0)):
        track, features = pair(f"c{n}", n, fps=fps)
        store.write(track, tmp_path / "tracks" / f"c{n}.h5")
        store.write(features, tmp_path / "audio" / f"c{n}.h5")
    with pytest.raises(EmotalkError, match="fps of c1"):
        read_records(tmp_path / "tracks", tmp_path / "audio", Quiet())


def test_windows_repeat_and_differ_by_step(learned: Learned, small_config: TrainConfig) -> None:
    _, _, takes, spec = learned
    windows = Windows(takes, spec, small_config)
    assert windows.plan(3, seed=1) == windows.plan(3, seed=1)
    assert windows.plan(3, seed=1) != windows.plan(4, seed=1)
    plan = windows.plan(3, seed=1)
    first, again = (windows.cut(plan, 40, (1, 3)) for _ in range(2))
    assert first.x0.equal(again.x0)
    assert first.conditions.values["speech"].equal(again.conditions.values["speech"])


def test_sound_and_motion_stay_together_at_any_speed(
    learned: Learned, small_config: TrainConfig
) -> None:
    """In the corpus jawOpen is .6 of the first posterior: whatever is cut, they still agree."""
    _, _, takes, spec = learned
    plain = dataclasses.replace(
        small_config,
        augment=dataclasses.replace(small_config.augment, speech_noise=0.0),
        network=dataclasses.replace(small_config.network, input_dropout=0.0),
    )
    windows = Windows(takes, spec, plain)
    batch = windows.cut(windows.plan(0, 0), 40, (0,))
    jaw = batch.x0[..., 0].numpy()
    told = batch.conditions.values["speech"].numpy()
    posterior = (told[..., 0] + told[..., told.shape[-1] // 2]) / 2
    mask = batch.mask[..., 0].numpy() > 0
    for b in range(len(jaw)):
        assert np.corrcoef(jaw[b][mask[b]], posterior[b][mask[b]])[0, 1] > 0.7


def test_lost_frames_do_not_count(learned: Learned, small_config: TrainConfig) -> None:
    _, _, takes, spec = learned
    valid = takes[0].valid.copy()
    valid[5:9] = False
    windows = Windows([dataclasses.replace(takes[0], valid=valid)], spec, small_config)
    batch = windows.cut(windows.whole(0, 1), 40, (0,))
    assert batch.mask[0, 5:9].sum() == 0 and batch.mask[0, :5].sum() == 5
