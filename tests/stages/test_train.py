"""The three training stages on a few made-up records of the default face model."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.decoders.training.journal import read_journal
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.folder_lock import one_run
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.train_emo import train_emo
from emotalk_cli.stages.train_lip import train_lip
from emotalk_cli.stages.train_single import train_single

CONFIG = """
steps: 4
batch_size: 2
log_every: 1
validate_every: 2
network: {hidden: 16, encoder_blocks: 1, denoiser_blocks: 1, kernel: 3}
"""
STAGES = {"lip": train_lip, "emo": train_emo, "single": train_single}


def records(clip_id: str, seed: int, sha256: str) -> tuple[FaceTrack, AudioFeatures]:
    """50 frames of random motion and sound that belong to the default face model."""
    rng = np.random.default_rng(seed)
    model = load_default_face_model()
    made_by, labels = MadeBy("test", "0"), Labels(clip_id, "made-up", "nobody", "neutral")
    expression = rng.random((50, len(model.expression_names))).astype(np.float32) * 0.3
    track = FaceTrack(
        made_by=made_by,
        shape=np.zeros(model.identity_basis.shape[0], np.float32),
        expression=expression,
        head_pose=(rng.standard_normal((50, 6)) * 0.02).astype(np.float32),
        camera=np.array([900, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(50, np.float32),
        valid=np.ones(50, bool),
        face_model=model.name,
        face_model_sha256=sha256,
        expression_names=model.expression_names,
        fps=25.0,
        labels=labels,
    )
    features = AudioFeatures(
        made_by=made_by,
        speech=rng.dirichlet(np.ones(5), 101).astype(np.float32),
        log_mel=rng.standard_normal((101, 16)).astype(np.float32),
        f0_hz=np.full(101, 120, np.float32),
        voicing=rng.random(101).astype(np.float32),
        energy_db=(-20 * rng.random(101)).astype(np.float32),
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=2.0,
        encoder="hama",
        speech_names=tuple("abcde"),
        labels=labels,
    )
    return track, features


@pytest.fixture
def make_corpus(tmp_path: Path) -> Callable[[str], Path]:
    def write(sha256: str) -> Path:
        for n in range(3):
            track, features = records(f"c{n}", n, sha256)
            store.write(track, tmp_path / "tracks" / f"c{n}.h5")
            store.write(features, tmp_path / "audio" / f"c{n}.h5")
        (tmp_path / "c.yaml").write_text(CONFIG)
        return tmp_path

    return write


@pytest.mark.parametrize("group", ["lip", "emo", "single"])
def test_from_records_to_a_decoder(group: str, make_corpus: Callable[[str], Path]) -> None:
    folder = make_corpus(load_default_face_model().sha256)
    out = STAGES[group](
        folder / "tracks", folder / "audio", folder / group, config=folder / "c.yaml"
    )
    decoder = load_decoder(out)
    assert decoder.spec.group == group
    assert decoder.spec.expression_names == load_default_face_model().expression_names
    assert {path.name for path in out.iterdir()} == {
        "README.md", "config.json", "curves.png", "last", "metrics.csv", "model.safetensors",
    }  # fmt: skip
    if group != "emo":
        features = store.read(folder / "audio" / "c0.h5", AudioFeatures)
        weights = np.eye(8, dtype=np.float32)[np.full(50, 5)]
        motion = sample_motion(decoder, None, features, weights, frames=50, fps=25.0)
        assert motion.expression.shape == (50, len(decoder.spec.expression_names))


def test_tracks_of_another_face_model_are_refused(make_corpus: Callable[[str], Path]) -> None:
    folder = make_corpus("0" * 64)
    with pytest.raises(EmotalkError, match="tracks have the face model"):
        train_lip(folder / "tracks", folder / "audio", folder / "lip", config=folder / "c.yaml")


def test_swapped_folders_are_told_before_anything_else(make_corpus: Callable[[str], Path]) -> None:
    corpus = make_corpus("")
    tracks, audio = corpus / "tracks", corpus / "audio"
    with pytest.raises(EmotalkError, match="they are swapped") as caught:
        train_lip(audio, tracks, corpus / "out")
    assert f"{tracks} {audio}" in str(caught.value)
    assert not (corpus / "out").exists()


@pytest.mark.parametrize("group", STAGES)
def test_a_second_run_at_once_is_refused(
    group: str, make_corpus: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_corpus("0" * 64)
    places = folder / "tracks", folder / "audio", folder / "out"
    with one_run(places[2], f"train-{group}"):
        with pytest.raises(EmotalkError, match=f"Another `emotalk train-{group}`") as caught:
            STAGES[group](*places)
        monkeypatch.setenv("RANK", "1")  # a process of the run that holds the folder
        with pytest.raises(EmotalkError, match="tracks have the face model"):
            STAGES[group](*places)
    assert "--shard" not in str(caught.value)
    assert not places[2].exists()


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="no folder"):
        train_lip(tmp_path / "tracks", tmp_path / "audio", tmp_path / "lip")


def test_two_processes_learn_what_one_does(make_corpus: Callable[[str], Path]) -> None:
    folder = make_corpus(load_default_face_model().sha256)
    inputs = [str(folder / name) for name in ("tracks", "audio")]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend",
        "c10d", "--rdzv_endpoint", "localhost:0", "-m", "emotalk_cli", "train-lip", *inputs,
        "-o", str(folder / "two"), "--config", str(folder / "c.yaml"),
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("clips to learn from") == 1
    train_lip(folder / "tracks", folder / "audio", folder / "one", config=folder / "c.yaml")
    rows = [read_journal(folder / name / "metrics.csv") for name in ("one", "two")]
    assert len(rows[0]) == len(rows[1]) == 6
    for one, two in zip(*rows, strict=True):
        for name in ("loss", "validation"):
            if one[name]:
                assert float(one[name]) == pytest.approx(float(two[name]), rel=1e-3)
