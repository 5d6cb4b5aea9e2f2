"""A real emotional corpus end to end: six clips of a CREMA-D actor, learned as train-emo learns.

Too few to generalise; what is tested is that the decoder learns them.
"""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.direction.emotions import NEUTRAL
from emotalk_cli.decoders.sampling import sample_motion
from emotalk_cli.decoders.training.config import read_config
from emotalk_cli.decoders.training.data import make_takes, read_records, split
from emotalk_cli.progress import Quiet
from emotalk_cli.stages.extract_audio import extract_audio
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.preprocess import preprocess
from emotalk_cli.stages.train_emo import train_emo
from emotalk_cli.stages.train_lip import train_lip

CONFIG = """
steps: 400
batch_size: 12
window: 60
validate_every: 200
validation_share: 0.01
network: {hidden: 64, input_dropout: 0}
augment: {stretch: 0.05, drop_speech: 0.05}
"""


@pytest.fixture(scope="module")
def corpus(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips, tracks and audio features of the actor's six videos, and two decoders."""
    out = tmp_path_factory.mktemp("crema")
    (out / "source").mkdir()
    for video in (shared_data / "crema_d").glob("*.flv"):
        (out / "source" / video.name).symlink_to(video)
    preprocess(out / "source", out / "clips", dataset="crema_d", keep_frames=False)
    fit_3dmm(out / "clips", out / "tracks")
    extract_audio(out / "clips", out / "audio", encoder="mel")
    (out / "train.yaml").write_text(CONFIG)
    train_emo(out / "tracks", out / "audio", out / "emo", config=out / "train.yaml")
    train_lip(out / "tracks", out / "audio", out / "lip", config=out / "train.yaml", steps=2)
    return out


@pytest.mark.slow
def test_the_actors_emotions_are_learned(corpus: Path) -> None:
    lip, emo = load_decoder(corpus / "lip"), load_decoder(corpus / "emo")
    records = read_records(corpus / "tracks", corpus / "audio", Quiet())
    learned, _ = split(
        make_takes(records, "emo", emo.spec.mouth), read_config(corpus / "train.yaml")
    )
    assert len(learned) == 5
    units = emo.spec.other_units
    kept = [n for n, name in enumerate(units) if not name.startswith(("eyeBlink", "eyeLook"))]
    columns = [emo.spec.expression_names.index(units[n]) for n in kept]
    agreed, speeds = [], []
    for take in learned:
        frames = len(take.target)
        weights = np.insert(take.emotion, NEUTRAL, 1 - take.emotion.sum(axis=1), axis=1)
        sound = records.audio[take.clip_id][0]
        motion = sample_motion(lip, emo, sound, weights, frames=frames, fps=emo.spec.fps)
        made, real = motion.expression[:, columns].mean(axis=0), take.target[:, kept].mean(axis=0)
        agreed.append(np.corrcoef(made, real)[0, 1])
        poses = (motion.head_pose_delta[:, :3], take.target[:, -6:-3])
        speeds.append(np.divide(*(np.abs(np.diff(pose, axis=0)).mean() for pose in poses)))
    assert min(agreed) > 0.9, agreed
    assert 0.5 < np.median(speeds) < 1.5
