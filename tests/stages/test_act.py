"""Stage act: what it writes pairs up, is labelled, is repeatable, and is refused without voices."""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import store
from emotalk_cli.decoders.direction.emotions import EMOTIONS, emotion_curve
from emotalk_cli.decoders.motion import pose_delta
from emotalk_cli.decoders.training.data import is_held_out
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.schema import AudioFeatures, FaceTrack
from emotalk_cli.stages.act import act
from tests.decoders.voices import voice


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    for n in range(3):
        made = voice([(0.6, 2.4), (3.2, 5.0)], 6.0, clip_id=f"v{n}", speaker="ab"[n % 2])
        store.write(made, folder / f"v{n}.h5")
    return folder


@pytest.fixture(scope="module")
def acted(voices: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return act(voices, tmp_path_factory.mktemp("acted"), levels=(3,), takes=1)


def test_every_track_has_its_sound(acted: Path) -> None:
    tracks = {path.name for path in (acted / "tracks").iterdir()}
    assert tracks == {path.name for path in (acted / "audio").iterdir()}
    assert len(tracks) == 8 + 8
    for name in sorted(tracks)[::5]:
        track = store.read(acted / "tracks" / name, FaceTrack)
        sound = store.read(acted / "audio" / name, AudioFeatures)
        assert abs(len(track.expression) / track.fps - sound.duration_s) < 0.05
        assert len(sound.energy_db) == len(sound.speech) == len(sound.f0_hz)
        assert sound.duration_s > 20
        assert track.labels == sound.labels
        assert track.labels.clip_id == Path(name).stem


def test_labels_and_weights_agree(acted: Path) -> None:
    for path in sorted((acted / "tracks").glob("sad_*.h5")):
        track = store.read(path, FaceTrack)
        assert track.labels.emotion == "sad"
        expected = emotion_curve("sad", track.labels.intensity).weights([0.0])[0]
        assert track.emotion_weights is not None
        np.testing.assert_allclose(track.emotion_weights[100], expected, atol=1e-6)
    changing = store.read(acted / "tracks" / "changing_sad_000.h5", FaceTrack).emotion_weights
    assert changing is not None
    assert changing[:, EMOTIONS.index("sad")].max() > 0.1
    assert np.ptp(changing, axis=0).max() > 0.1


def test_the_posture_of_an_emotion_is_kept(acted: Path) -> None:
    track = store.read(acted / "tracks" / "sad_3_000.h5", FaceTrack)
    delta = pose_delta(track.head_pose, track.valid, track.rest_pose)
    assert delta[:, 0].mean() > np.radians(3)
    assert abs(pose_delta(track.head_pose, track.valid)[:, 0].mean()) < np.radians(1)


def test_the_same_seed_makes_the_same_corpus(voices: Path, acted: Path, tmp_path: Path) -> None:
    again = act(voices, tmp_path, levels=(3,), takes=1, limit=4)
    for path in sorted((again / "tracks").iterdir()):
        one = store.read(path, FaceTrack)
        other = store.read(acted / "tracks" / path.name, FaceTrack)
        np.testing.assert_array_equal(one.expression, other.expression)
        np.testing.assert_array_equal(one.head_pose, other.head_pose)
    assert len(list((again / "tracks").iterdir())) == 4


def test_done_work_is_skipped_and_other_work_refused(voices: Path, tmp_path: Path) -> None:
    act(voices, tmp_path, takes=1, limit=1)
    path = next((tmp_path / "tracks").iterdir())
    before = path.stat().st_mtime_ns
    act(voices, tmp_path, takes=1, limit=1)
    assert path.stat().st_mtime_ns == before
    with pytest.raises(StaleOutputError, match="seed"):
        act(voices, tmp_path, takes=1, limit=1, seed=1)


def test_measured_heads_are_used(voices: Path, acted: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    nod = np.radians(5) * np.sin(np.arange(151) / 25 * 2 * np.pi * 1.5)
    example = store.read(next(iter(sorted((acted / "tracks").iterdir()))), FaceTrack)
    for n in range(3):
        head = example.head_pose[:151].copy()
        head[:, :3] = 0
        head[:, 0] = nod
        track = FaceTrack(
            **{
                name: getattr(example, name)
                for name in (*example.attribute_names(), "shape", "camera")
            },
            expression=np.zeros_like(example.expression[:151]),
            head_pose=head,
            residual_px=example.residual_px[:151],
            valid=example.valid[:151],
        )
        store.write(track, real / f"v{n}.h5")
    made = act(voices, tmp_path / "out", tracks=real, takes=1, limit=8)
    speeds = []
    for path in sorted((made / "tracks").iterdir()):
        nods = np.degrees(store.read(path, FaceTrack).head_pose[:, 0])
        speeds.append(np.abs(np.diff(nods)).mean() * 25)
    assert max(speeds) > 10  # degrees per second: the nods of 5 degrees, 1.5 times a second
    assert min(speeds) < 5  # the performances that move as the prior says


def test_recordings_held_out_are_not_heard(voices: Path, tmp_path: Path) -> None:
    held = [n for n in range(3) if is_held_out(f"v{n}", 0.7)]
    assert 0 < len(held) < 3  # sha256 says which, the same everywhere
    made = act(voices, tmp_path, held_out=0.7, takes=1, limit=8)
    heard = {store.read(p, FaceTrack).labels.speaker for p in (made / "tracks").iterdir()}
    assert heard == {f"acted-{'ab'[n % 2]}" for n in range(3) if n not in held}
    with pytest.raises(EmotalkError, match="held out"):
        act(voices, tmp_path / "none", held_out=1.0)


def test_no_voice_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="no audio features"):
        act(tmp_path, tmp_path / "out")
