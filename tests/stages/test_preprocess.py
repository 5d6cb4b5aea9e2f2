"""preprocess makes whole, true records, skips what is done and lists what is not possible."""

import csv
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli import safe_files, store
from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.schema import Clip
from emotalk_cli.stages.inspect import inspect
from emotalk_cli.stages.preprocess import Preprocessed, preprocess
from tests.stages.corpus_help import Heard, rows_of


def ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_binary(), "-y", "-v", "error", *arguments], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good clips, one of a wall, one text file, one with its sound in a file of its own."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("corpus")
    head = pytest.importorskip("skimage.data").astronaut()[:300, 60:400]
    picture = folder.parent / "head.png"
    Image.fromarray(head).save(picture)
    still = ("-loop", "1", "-framerate", "30", "-t", "1", "-i", str(picture))
    sound = ("-f", "lavfi", "-i", "sine=440:d=1")
    x264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    ffmpeg(*still, *sound, *x264, str(folder / "a.mp4"))
    ffmpeg(*still, *sound, *x264, str(folder / "b.mkv"))
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=160x120", *sound, *x264, str(folder / "wall.mp4"))
    (folder / "text.mp4").write_text("no film")
    return folder


@pytest.fixture(scope="module")
def clips(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clips")
    done = preprocess(corpus, out, crop_size_px=96)
    assert (done.clips, done.made, done.skipped, len(done.failures)) == (4, 2, 0, 2)
    assert done.seconds == pytest.approx(2.0)
    return out


def test_the_record_is_whole(clips: Path) -> None:
    clip = store.read(clips / "a.h5", Clip)
    assert clip.landmarks.shape == (25, 478, 3)
    assert clip.valid.all()
    assert clip.waveform.shape == (16000,)
    assert 0.1 < np.abs(clip.waveform).max() <= 1
    assert (clip.width_px, clip.height_px, clip.fps) == (340, 300, 25.0)
    x, y, width, height = clip.crop
    assert width == height
    inside = (clip.landmarks[..., :2] > (x, y)) & (
        clip.landmarks[..., :2] < (x + width, y + height)
    )
    assert inside.all()


def test_the_frames_are_the_crop(clips: Path) -> None:
    import io

    from PIL import Image

    clip = store.read(clips / "a.h5", Clip)
    images = [np.asarray(Image.open(io.BytesIO(clip.frame_jpeg(k)))) for k in range(25)]
    assert images[0].shape == (96, 96, 3)
    from emotalk_cli.face3d.face_tracking import track_faces

    scale = float(clip.crop[2]) / 96
    found, _ = track_faces(images[:3])
    back = found[..., :2] * scale + clip.crop[:2]
    assert np.linalg.norm(back - clip.landmarks[:3, :, :2], axis=-1).mean() < 3


def test_manifest_and_failures_name_everything(clips: Path) -> None:
    with (clips / "manifest.csv").open() as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "a": "done", "b": "done", "text": "failed", "wall": "failed",
    }  # fmt: skip
    assert rows["a"]["path"] == "a.mp4"
    assert rows["a"]["frames"] == "25"
    assert rows["a"]["sha256"] == safe_files.sha256_of(clips / "a.h5")
    with (clips / "failures.csv").open() as file:
        reasons = {row["clip"]: row["reason"] for row in csv.DictReader(file)}
    assert "no frame shows a face" in reasons["wall"]
    assert "no media file" in reasons["text"]
    assert not list(clips.glob(".tmp-*"))


def test_done_clips_are_skipped_and_others_refused(corpus: Path, clips: Path) -> None:
    before = (clips / "a.h5").stat().st_mtime_ns
    again = preprocess(corpus, clips, crop_size_px=96)
    assert (again.made, again.skipped) == (0, 2)
    listed = (clips / "failures.csv").read_bytes()
    for changed, difference in (
        ({"crop_size_px": 64}, "crop_size_px was 96, is now 64"),
        ({"crop_size_px": 96, "fps": 30.0}, r"fps was 25\.0, is now 30\.0"),
        ({"crop_size_px": 96, "fps": 30.0, "limit": 1}, r"fps was 25\.0, is now 30\.0"),
    ):
        with pytest.raises(StaleOutputError, match=rf"{difference}(?s:.)*--overwrite"):
            preprocess(corpus, clips, **changed)
    assert (clips / "failures.csv").read_bytes() == listed
    with (clips / "manifest.csv").open() as file:
        status = {row["clip"]: row["status"] for row in csv.DictReader(file)}
    assert (status["a"], status["b"]) == ("done", "done")
    assert (clips / "a.h5").stat().st_mtime_ns == before


def test_labels_are_each_clips_own(corpus: Path, tmp_path: Path) -> None:
    out, listed = tmp_path / "out", tmp_path / "man.csv"

    def run(first: str, second: str) -> Preprocessed:
        rows = f"path,emotion\n{corpus / 'a.mp4'},{first}\n{corpus / 'b.mkv'},{second}\n"
        listed.write_text(rows)
        return preprocess(listed, out, keep_frames=False)

    bad = run("sad", "sadd")
    assert (bad.made, len(bad.failures)) == (1, 1)
    assert "line 3: There is no emotion called 'sadd'" in bad.failures[0].reason
    assert rows_of(out / "failures.csv").keys() == {"b"}
    assert rows_of(out / "manifest.csv")["b"]["status"] == "failed"
    good = run("sad", "sad")
    assert (good.made, good.skipped, good.failures) == (1, 1, ())
    one = run("sad", "happy")
    assert 'labels.emotion was "sad", is now "happy"' in one.failures[0].reason
    before = (out / "failures.csv").read_bytes()
    with pytest.raises(StaleOutputError, match=r"labels\.emotion"):
        run("angry", "happy")
    assert (out / "failures.csv").read_bytes() == before


def test_workers_and_shards_give_the_same(corpus: Path, clips: Path, tmp_path: Path) -> None:
    preprocess(corpus, tmp_path / "two", crop_size_px=96, workers=2)
    for part in ("1/2", "2/2"):
        preprocess(corpus, tmp_path / "parts", crop_size_px=96, shard=part)
    for name in ("a.h5", "b.h5"):
        expected = (clips / name).read_bytes()
        assert (tmp_path / "two" / name).read_bytes() == expected
        assert (tmp_path / "parts" / name).read_bytes() == expected


def test_sound_files_of_their_own(corpus: Path, tmp_path: Path) -> None:
    mute = tmp_path / "M003/video/front/happy/level_2/001.mp4"
    other = mute.with_name("002.mp4")
    late = mute.with_name("003.mp4")
    sound = tmp_path / "M003/audio/happy/level_2/001.m4a"
    for path in (mute, sound):
        path.parent.mkdir(parents=True, exist_ok=True)
    for path in (mute, other, late):
        ffmpeg("-i", str(corpus / "a.mp4"), "-an", "-c", "copy", str(path))
    ffmpeg("-f", "lavfi", "-i", "sine=880:d=1", str(sound))
    ffmpeg("-f", "lavfi", "-i", "sine=880:d=3", str(sound.with_name("003.m4a")))
    heard = Heard()
    done = preprocess(tmp_path, tmp_path / "out", keep_frames=False, progress=heard)
    assert done.made == 1
    (note,) = heard.notes
    assert note.startswith("1 of 3 clips lack their sound file, such as M003/audio/happy/level_2/")
    clip = store.read(tmp_path / "out" / "M003_front_happy_level_2_001.h5", Clip)
    spectrum = np.abs(np.fft.rfft(clip.waveform))
    assert np.argmax(spectrum) == pytest.approx(880, abs=2)
    assert clip.frames_jpeg is None
    reasons = {f.clip[-3:]: f.reason for f in done.failures}
    assert "there is no M003/audio/happy/level_2/002.m4a" in reasons["002"]
    assert "do not belong together" in reasons["003"]


def test_wrong_options(corpus: Path, tmp_path: Path) -> None:
    for options in ({"fps": 0.0}, {"crop_size_px": 4}, {"min_valid": 2.0}):
        with pytest.raises(EmotalkError, match="makes no sense"):
            preprocess(corpus, tmp_path, **options)


def test_inspect_tells_and_draws(clips: Path, tmp_path: Path) -> None:
    text = str(inspect(clips / "a.h5", plot=tmp_path / "a.png"))
    assert "a.h5: Clip, format version 1" in text
    assert "crop_size_px=96" in text
    assert "landmarks" in text
    assert "(T=25, 478, 3) float32" in text
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EmotalkError, match=r"ends in \.png"):
        inspect(clips / "a.h5", plot=tmp_path / "a.jpg")
    assert "list of clips with what became of each" in str(inspect(clips / "manifest.csv"))
