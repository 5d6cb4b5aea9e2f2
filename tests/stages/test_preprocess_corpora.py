"""Whole corpora as they lie on disk become records with the right labels, to the clip."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import safe_files, store
from emotalk_cli.schema import Clip
from emotalk_cli.stages.preprocess import Preprocessed, preprocess
from tests.stages.corpus_help import cut, ffmpeg, leftovers, rows_of

CREMA = {
    "angry": "ANG", "disgusted": "DIS", "fear": "FEA", "happy": "HAP", "neutral": "NEU",
    "sad": "SAD",
}  # fmt: skip
STAND_INS = {"contempt": "bbaf2n", "surprised": "bbal7s"}  # CREMA-D has six emotions, GRID none
SECONDS = 0.4
FRAMES = 10


@dataclass(frozen=True)
class Video:
    """One video of the tree, what its labels must be, and the folders it lies in."""

    speaker: str
    folder: str  # what stands in place of `video`
    view: str
    emotion: str
    level: int
    number: str
    sound: bool = True
    extra: str = ""

    @property
    def path(self) -> str:
        return f"{self.speaker}/{self.folder}/{self._end(self.view)}/{self.number}.mp4"

    @property
    def sound_path(self) -> str:
        audio = f"audio/{self.extra}" if self.extra and self.folder != self.extra else "audio"
        return f"{self.speaker}/{audio}/{self._end()}/{self.number}.m4a"

    def _end(self, *view: str) -> str:
        return "/".join((*view, self.emotion, f"level_{self.level}"))


VIDEOS = (
    # M003: all eight emotions in front, three levels of one, two more views, a number missing
    Video("M003", "video", "front", "angry", 1, "001"),
    Video("M003", "video", "front", "angry", 2, "001"),
    Video("M003", "video", "front", "angry", 3, "001"),
    Video("M003", "video", "front", "angry", 3, "003"),
    Video("M003", "video", "front", "contempt", 1, "001"),
    Video("M003", "video", "front", "disgusted", 2, "001"),
    Video("M003", "video", "front", "fear", 3, "001"),
    Video("M003", "video", "front", "happy", 1, "001"),
    Video("M003", "video", "front", "neutral", 1, "001"),
    Video("M003", "video", "front", "sad", 2, "001"),
    Video("M003", "video", "front", "surprised", 3, "001"),
    Video("M003", "video", "left_30", "happy", 1, "001"),
    Video("M003", "video", "right_60", "happy", 1, "001"),
    # W011: `1` in place of `video`, `2` as one more folder with other takes of the same numbers
    Video("W011", "1", "front", "neutral", 1, "001", extra="1"),
    Video("W011", "1", "down", "sad", 3, "002", extra="1"),
    Video("W011", "video/2", "front", "neutral", 1, "001", extra="2"),
    Video("W011", "video/2", "top", "happy", 2, "030", extra="2"),
    # the sound is lost
    Video("M003", "video", "front", "sad", 3, "004", sound=False),
    Video("W011", "1", "front", "angry", 2, "005", sound=False, extra="1"),
)


def pitch_hz(video: Video) -> int:
    """Every take has a sound of its own, the views of one take the same: a tone tells them."""
    key = f"{video.speaker}{video.extra}{video.emotion}{video.level}{video.number}"
    takes = sorted({f"{v.speaker}{v.extra}{v.emotion}{v.level}{v.number}" for v in VIDEOS})
    return 300 + 100 * takes.index(key)


@pytest.fixture(scope="module")
def mead(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree as MEAD's, of real clips, the sound in files of its own."""
    root = tmp_path_factory.mktemp("corpus") / "MEAD"
    cuts = root.parent / "cuts"
    for emotion, code in CREMA.items():
        source = shared_data / f"crema_d/1001_DFA_{code}_XX.flv"
        cut(source, cuts / f"{emotion}.mp4", SECONDS, "-an", "-r", "30")
    for emotion, name in STAND_INS.items():
        source = shared_data / f"grid_s1/{name}.mp4"
        cut(source, cuts / f"{emotion}.mp4", SECONDS, "-an", "-r", "30")
    for video in VIDEOS:
        path, sound = root / video.path, root / video.sound_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((cuts / f"{video.emotion}.mp4").read_bytes())
        if video.sound and not sound.exists():
            sound.parent.mkdir(parents=True, exist_ok=True)
            tone = f"sine={pitch_hz(video)}:d={SECONDS}:r=16000"
            ffmpeg("-f", "lavfi", "-i", tone, "-c:a", "aac", sound)
    (root / "README.txt").write_text("not a clip")
    (root / "M003/video/front/angry/level_1/notes.txt").write_text("not a clip")
    (root / "M003/video/front/angry/level_1/._001.mp4").write_bytes(b"resource fork")
    (root / "M003/video/.cache").mkdir()
    (root / "M003/video/.cache/001.mp4").write_bytes(b"hidden")
    (root / "M003/audio/angry/level_1/.DS_Store").write_bytes(b"\0")
    (root / "W011/video/left_60").mkdir(parents=True)
    return root


@pytest.fixture(scope="module")
def done(mead: Path) -> Preprocessed:
    return preprocess(mead, mead.parent / "clips", crop_size_px=64, workers=2)


def test_mead_is_counted_to_the_clip(mead: Path, done: Preprocessed) -> None:
    rows = rows_of(done.manifest)
    assert {row["path"] for row in rows.values()} == {video.path for video in VIDEOS}
    with_sound = {video.path for video in VIDEOS if video.sound}
    assert {row["path"] for row in rows.values() if row["status"] == "done"} == with_sound
    assert (done.clips, done.made, done.skipped) == (len(VIDEOS), len(with_sound), 0)
    records = {path.stem for path in done.manifest.parent.glob("*.h5")}
    assert records == {name for name, row in rows.items() if row["status"] == "done"}
    assert done.frames == FRAMES * len(with_sound)
    assert not leftovers(done.manifest.parent)


def test_mead_labels_come_from_the_path(done: Preprocessed) -> None:
    rows = {row["path"]: row for row in rows_of(done.manifest).values()}
    for video in VIDEOS:
        row = rows[video.path]
        told = (row["speaker"], row["emotion"], row["view"], float(row["intensity"]))
        expected = (video.speaker, video.emotion, video.view, pytest.approx(video.level / 3, 1e-3))
        assert told == expected, video
        if not video.sound:
            continue
        record = done.manifest.parent / f"{row['clip']}.h5"
        clip = store.read(record, Clip)
        labels = clip.labels
        assert (labels.clip_id, labels.dataset) == (row["clip"], "mead")
        assert (labels.speaker, labels.emotion, labels.view) == told[:3]
        assert labels.intensity == pytest.approx(video.level / 3)
        assert (int(row["frames"]), row["sha256"]) == (FRAMES, safe_files.sha256_of(record))
        assert clip.landmarks.shape[0] == FRAMES and clip.valid.all()


def test_mead_sound_is_that_of_the_take(mead: Path, done: Preprocessed) -> None:
    rows = {row["path"]: row for row in rows_of(done.manifest).values()}
    for video in VIDEOS:
        row = rows[video.path]
        if not video.sound:
            assert row["sound"] == ""
            continue
        assert row["sound"] == video.sound_path
        clip = store.read(done.manifest.parent / f"{row['clip']}.h5", Clip)
        assert clip.waveform.shape == (round(SECONDS * 16000),)
        spectrum = np.abs(np.fft.rfft(clip.waveform))
        assert np.argmax(spectrum) / SECONDS == pytest.approx(pitch_hz(video), abs=5), video


def test_mead_without_sound_is_listed(done: Preprocessed) -> None:
    reasons = {f.clip: f.reason for f in done.failures}
    listed = rows_of(done.manifest.parent / "failures.csv")
    assert {name: row["reason"] for name, row in listed.items()} == reasons
    rows = rows_of(done.manifest)
    mute = {row["path"]: name for name, row in rows.items() if row["status"] == "failed"}
    assert set(mute) == {video.path for video in VIDEOS if not video.sound}
    for video in VIDEOS:
        if not video.sound:
            lost = f"{video.speaker}/audio/{video.emotion}/level_{video.level}/{video.number}.m4a"
            assert "has no sound" in reasons[mute[video.path]]
            assert lost in reasons[mute[video.path]]


def test_mead_filters_choose_to_the_clip(mead: Path, tmp_path: Path) -> None:
    done = preprocess(
        mead, tmp_path, crop_size_px=64, speakers=["m003"], emotions=["angry"], levels=[1, 3]
    )
    assert sorted(row["path"] for row in rows_of(done.manifest).values()) == sorted(
        video.path
        for video in VIDEOS
        if (video.speaker, video.emotion) == ("M003", "angry") and video.level in (1, 3)
    )
    assert done.made == 3


def test_grid_has_its_words(shared_data: Path, tmp_path: Path) -> None:
    done = preprocess(shared_data / "grid_s1", tmp_path, limit=3, keep_frames=False)
    assert (done.clips, done.made, done.failures) == (3, 3, ())
    rows = rows_of(done.manifest)
    files = sorted((shared_data / "grid_s1").glob("*.mp4"))[:3]
    assert [row["path"] for row in rows.values()] == [path.name for path in files]
    for path, (name, row) in zip(files, rows.items(), strict=True):
        assert (name, row["speaker"], row["status"]) == (f"s1_{path.stem}", "s1", "done")
        assert (row["emotion"], row["view"], row["frames"]) == ("neutral", "front", "75")
        clip = store.read(tmp_path / f"{name}.h5", Clip)
        assert clip.labels.dataset == "grid"
        lines = [line.split() for line in path.with_suffix(".align").read_text().splitlines()]
        spoken = [(int(a) / 25000, int(b) / 25000, w) for a, b, w in lines if w != "sil"]
        assert [tuple(word) for word in clip.words] == spoken
        assert len(spoken) == 6
        # the words lie where the sound is: louder than the silence around them
        first, last = (round(16000 * t) for t in (spoken[0][0], spoken[-1][1]))
        loud = np.square(clip.waveform[first:last]).mean()
        assert loud > 4 * np.square(clip.waveform[: first // 2]).mean()


def test_crema_d_is_read_from_its_names(shared_data: Path, tmp_path: Path) -> None:
    done = preprocess(shared_data / "crema_d", tmp_path, keep_frames=False, workers=2)
    videos = sorted((shared_data / "crema_d").glob("*.flv"))
    assert (done.clips, done.made, done.failures) == (6, 6, ())
    rows = rows_of(done.manifest)
    assert [row["path"] for row in rows.values()] == [path.name for path in videos]
    assert Counter(row["emotion"] for row in rows.values()) == Counter(list(CREMA))
    for name, row in rows.items():
        labels = store.read(tmp_path / f"{name}.h5", Clip).labels
        assert CREMA[labels.emotion] == name.split("_")[2]
        assert (labels.dataset, labels.speaker, labels.view) == ("crema_d", "1001", "front")
        assert labels.intensity == 1.0
        assert labels.emotion == row["emotion"]
