"""A tiny face and a tiny corpus whose lips really follow the sound."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli import store
from emotalk_cli.decoders.checkpoint import Decoder, load_decoder
from emotalk_cli.decoders.spec import Network
from emotalk_cli.decoders.training.config import TrainConfig
from emotalk_cli.decoders.training.run import train
from emotalk_cli.parts import FaceGeometry
from emotalk_cli.progress import Quiet
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy

MADE_BY = MadeBy("test", "0")
UNITS = ("browInnerUp", "eyeBlinkLeft", "jawOpen", "mouthClose", "mouthSmileLeft", "mouthFunnel")
PHONES = ("a", "m", "blank")


@dataclass(frozen=True)
class TinyFace:
    """A face of 478 landmarks; jawOpen at 1 opens the lips by 30 mm, mouthClose undoes it."""

    name: str = "tiny"
    sha256: str = "0" * 64
    expression_names: tuple[str, ...] = UNITS

    @property
    def lip_units(self) -> tuple[str, ...]:
        return UNITS[2:]

    @property
    def other_units(self) -> tuple[str, ...]:
        return UNITS[:2]

    def landmark_bases(self, shape: object) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        neutral = np.zeros((478, 3), np.float32)
        neutral[[82, 13, 312], 1] = 0.001
        added = np.zeros((len(UNITS), 478, 3), np.float32)
        below = [87, 14, 317]
        added[2, below, 1] = -0.030
        added[3, below, 1] = 0.031
        added[4, [82, 13, 312], 1] = 0.004
        added[5, below, 1] = -0.008
        return neutral, added


@pytest.fixture(scope="session")
def face() -> TinyFace:
    return TinyFace()


def make_pair(
    clip_id: str,
    seed: int,
    speaker: str = "a",
    emotion: str = "neutral",
    frames: int = 60,
    fps: float = 25.0,
) -> tuple[FaceTrack, AudioFeatures]:
    """One clip: jawOpen is the posterior of /a/, mouthClose that of /m/."""
    rng = np.random.default_rng(seed)
    rows = 2 * frames + 1
    slow = np.cumsum(rng.standard_normal((rows, 3)), axis=0)
    slow -= slow.mean(axis=0)
    speech = np.exp(slow / 2)
    speech = (speech / speech.sum(axis=1, keepdims=True)).astype(np.float32)
    expression = np.zeros((frames, len(UNITS)), np.float32)
    expression[:, 2] = 0.6 * speech[:-1:2, 0]
    expression[:, 3] = 0.1 * speech[:-1:2, 1]
    expression[:, 1] = rng.random(frames) < 0.1
    if emotion == "happy":
        expression[:, 4] = 0.7
    labels = Labels(clip_id, "tiny", speaker, emotion)
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 0] = 0.05 * np.sin(np.arange(frames) / 9)
    pose[:, 5] = -0.7
    track = FaceTrack(
        made_by=MADE_BY,
        shape=np.zeros(2, np.float32),
        expression=expression,
        head_pose=pose,
        camera=np.array([900, 256, 256, 512, 512], np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        face_model="tiny",
        face_model_sha256="0" * 64,
        expression_names=UNITS,
        fps=fps,
        labels=labels,
    )
    energy = (-20 + 10 * speech[:, 0]).astype(np.float32)
    features = AudioFeatures(
        made_by=MADE_BY,
        speech=speech,
        log_mel=rng.standard_normal((rows, 16)).astype(np.float32),
        f0_hz=np.where(rng.random(rows) < 0.5, 120, 0).astype(np.float32),
        voicing=rng.random(rows).astype(np.float32),
        energy_db=energy,
        speaking_rate_hz=4.0,
        rate_hz=50.0,
        duration_s=rows / 50,
        encoder="hama",
        speech_names=PHONES,
        labels=labels,
    )
    return track, features


def write_corpus(folder: Path, clips: int = 12, variants: int = 1, frames: int = 60) -> Path:
    """Write `clips` pairs to folder/tracks and folder/audio; every third clip is happy."""
    for n in range(clips):
        emotion = "happy" if n % 3 == 2 else "neutral"
        track, features = make_pair(f"c{n}", n, "ab"[n % 2], emotion, frames)
        store.write(track, folder / "tracks" / f"c{n}.h5")
        store.write(features, folder / "audio" / f"c{n}.h5")
        for v in range(variants):
            store.write(features, folder / "audio" / f"c{n}.aug{v + 1}.h5")
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[FaceTrack, AudioFeatures]]:
    """Makes one track and its audio features."""
    return make_pair


@pytest.fixture(scope="session")
def small_config() -> TrainConfig:
    """A network that learns in a second."""
    return TrainConfig(
        steps=12,
        batch_size=4,
        window=40,
        validate_every=6,
        log_every=1,
        warmup_steps=2,
        network=Network(hidden=16, encoder_blocks=1, denoiser_blocks=1, kernel=3),
    )


@pytest.fixture(scope="session")
def run(face: FaceGeometry) -> Callable[..., Path]:
    """Trains a decoder of a group from a corpus into a folder."""

    def train_group(
        group: str,
        corpus: Path,
        out: Path,
        config: TrainConfig,
        *,
        seed: int = 0,
        resume: bool = False,
        overwrite: bool = False,
    ) -> Path:
        return train(
            group, corpus / "tracks", corpus / "audio", out, model=face, config=config,
            seed=seed, resume=resume, overwrite=overwrite, progress=Quiet(),
        )  # fmt: skip

    return train_group


@pytest.fixture(scope="session")
def decoders(
    run: Callable[..., Path],
    corpus: Path,
    small_config: TrainConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Decoder]:
    """A lip, an emotion and a single decoder, hardly trained."""
    folder = tmp_path_factory.mktemp("decoders")
    return {
        group: load_decoder(run(group, corpus, folder / group, small_config))
        for group in ("lip", "emo", "single")
    }
