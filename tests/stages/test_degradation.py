"""The ladder: each kind of damage to real clips worsens the metric meant for it, step by step."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.schema import FaceTrack, Labels, MadeBy, Scores
from emotalk_cli.stages.score import score

EMOTION, OTHER = "happy", "angry"
Damage = Callable[[FaceTrack, float, int], FaceTrack]


def late(track: FaceTrack, frames: float, _seed: int) -> FaceTrack:
    """The face comes so many frames late."""
    at = np.maximum(np.arange(len(track.expression)) - int(frames), 0)
    return replace(track, expression=track.expression[at])


def noisy(track: FaceTrack, size: float, seed: int) -> FaceTrack:
    """Every unit trembles."""
    noise = size * np.random.default_rng(seed).standard_normal(track.expression.shape)
    moved = np.clip(track.expression + noise, 0, 1)
    return replace(track, expression=moved.astype(np.float32))


def damped(track: FaceTrack, share: float, _seed: int) -> FaceTrack:
    """The lips move less by this share."""
    lips = [name.startswith(("jaw", "mouth")) for name in track.expression_names]
    expression = track.expression.copy()
    mean = expression[:, lips].mean(0)
    expression[:, lips] = mean + (1 - share) * (expression[:, lips] - mean)
    return replace(track, expression=expression)


def wrong_emotion(track: FaceTrack, share: float, _seed: int) -> FaceTrack:
    """The emotion on the face turns into another one."""
    other = emotional(replace(track, expression=track.expression - face_of(track, EMOTION)), OTHER)
    expression = (1 - share) * track.expression + share * other.expression
    return replace(track, expression=expression)


def face_of(track: FaceTrack, emotion: str) -> np.ndarray:
    from emotalk_cli.decoders.acting.prototypes import prototypes
    from emotalk_cli.decoders.direction.emotions import EMOTIONS

    return prototypes(track.expression_names)[EMOTIONS.index(emotion)]


def emotional(track: FaceTrack, emotion: str) -> FaceTrack:
    """The clip with an emotion on the face, unclipped so that it can be taken off again."""
    return replace(track, expression=track.expression + face_of(track, emotion))


LADDERS: dict[str, tuple[Damage, tuple[float, ...], dict[str, int]]] = {
    # metric -> -1 where it must fall at every step, +1 where it must rise
    "lag, frames": (late, (0, 1, 2, 3, 4, 5), {"|lip lag|": 1, "lip r": -1, "LVE": 1}),
    "noise": (noisy, (0, 0.01, 0.03, 0.06, 0.12), {"jitter": 1, "MVE": 1, "F-LVD": 1}),
    "damped lips": (
        damped,
        (0, 0.2, 0.4, 0.6, 0.8),
        {"lip amplitude": -1, "MOD": 1, "LVE": 1, "M-LMD": 1},
    ),
    "wrong emotion": (
        wrong_emotion,
        (0, 0.25, 0.5, 0.75, 1),
        {"EVE": 1, "F-LMD": 1, "expression error, brow": 1, "emotion in coefficients": -1},
    ),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> dict[str, FaceTrack]:
    """Tracks of four real clips of GRID."""
    from emotalk_cli.stages.fit_3dmm import fit_3dmm
    from emotalk_cli.stages.preprocess import preprocess

    root = tmp_path_factory.mktemp("ladder")
    (root / "s1").mkdir()
    for path in sorted((shared_data / "grid_s1").glob("*.mp4"))[::250]:
        (root / "s1" / path.name).symlink_to(path)
    preprocess(root / "s1", root / "clips", dataset="folder", keep_frames=False)
    fit_3dmm(root / "clips", root / "tracks", identity="clip")
    found = {p.stem: store.read(p, FaceTrack) for p in sorted((root / "tracks").glob("*.h5"))}
    assert len(found) == 4
    return found


@pytest.mark.parametrize("kind", LADDERS)
def test_damage_shows_step_by_step(kind: str, real: dict[str, FaceTrack], tmp_path: Path) -> None:
    damage, steps, metrics = LADDERS[kind]
    whole = real
    if damage is wrong_emotion:
        whole = {name: emotional(track, EMOTION) for name, track in real.items()}
    table = [measured(whole, damage, step, tmp_path / str(n), kind) for n, step in enumerate(steps)]
    for metric, sign in metrics.items():
        values = [row[metric] for row in table]
        told = f"{kind}: {metric} at {steps}: {np.round(values, 4)}"
        if metric == "emotion in coefficients":  # counts clips, so it may rest for a step
            assert (sign * np.diff(values) >= 0).all() and values[0] > values[-1] == 0, told
        else:
            assert (sign * np.diff(values) > 0).all(), told
    if kind == "lag, frames":
        assert [row["|lip lag|"] for row in table] == list(steps)


def measured(
    whole: dict[str, FaceTrack], damage: Damage, step: float, folder: Path, kind: str
) -> dict[str, float]:
    """Mean of every metric over the clips, damaged against whole."""
    for n, (name, track) in enumerate(whole.items()):
        labels = Labels(name, emotion=EMOTION if kind == "wrong emotion" else "")
        made_by = MadeBy("test", "0")
        sides = {"made": damage(track, step, n), "real": track}
        for side, one in sides.items():
            kept = replace(
                one,
                expression=np.clip(one.expression, 0, 1).astype(np.float32),
                labels=labels,
                made_by=made_by,
            )
            store.write(kept, folder / side / f"{name}.h5")
    found = score(folder / "made", folder / "real", folder / "out")
    rows = [row for row in store.read(found.scores, Scores).rows if row.system == "made"]
    names = {row.metric for row in rows}
    return {m: float(np.mean([row.value for row in rows if row.metric == m])) for m in names}
