"""Fifty damaged inputs: each is listed with a fitting reason or readable, none stops the run."""

import random
import re
import shutil
from pathlib import Path

import h5py
import pytest

from emotalk_cli import safe_files, store
from emotalk_cli.schema import Clip
from tests.stages.corpus_help import cut, end_session, ffmpeg, leftovers, rows_of, start

READABLE = ""
EITHER = "either"  # readable as far as it goes, or listed with any of the reasons
NO_MEDIA = "is no media file|is empty|no picture|no readable picture"
NO_SOUND = "no sound|no readable sound"
SECONDS = 0.8
REASONS = re.compile(
    "is no media file|is empty|is damaged|has no picture|has no sound|no readable (picture|sound)|"
    "too few|no frame shows a face|of its frames show the face|does not say how large|says that"
)


class Damage:
    """Writes damaged files into a folder and keeps what must become of each."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[str, str] = {}
        self.data = data
        self._random = random.Random(3)
        good = folder.parent / "good"
        grid = data / "grid_s1/bbaf2n.mp4"
        self.mp4 = cut(grid, good / "a.mp4", SECONDS)
        self.fast = cut(grid, good / "fast.mp4", SECONDS, "-movflags", "+faststart")
        self.mkv = cut(grid, good / "a.mkv", SECONDS)
        self.flv = cut(
            data / "crema_d/1001_DFA_HAP_XX.flv", good / "a.flv", SECONDS, "-ar", "22050"
        )

    def put(self, name: str, expected: str, content: bytes | None = None) -> Path:
        """Expect so of the file `name`, written here if its content is given."""
        self.expected[name] = expected
        path = self.folder / name
        if content is not None:
            path.write_bytes(content)
        return path

    def make(self, name: str, expected: str, *arguments: str | Path) -> None:
        ffmpeg(*arguments, self.put(name, expected))

    def cut_short(self) -> None:
        """Truncated: without its index an mp4 is nothing, the others are read as far as they go."""
        for kind, source, shares in (
            ("mp4", self.mp4, (0.001, 0.02, 0.3, 0.7, 0.99)),
            ("fast", self.fast, (0.01, 0.2, 0.5, 0.95)),
            ("mkv", self.mkv, (0.005, 0.3, 0.6, 0.95)),
            ("flv", self.flv, (0.0005, 0.02, 0.5, 0.95)),
        ):
            content = source.read_bytes()
            for share in shares:
                expected = NO_MEDIA if kind == "mp4" else EITHER
                name = f"cut_{kind}_{round(1000 * share)}{source.suffix}"
                self.put(name, expected, content[: int(share * len(content))])

    def not_video(self) -> None:
        """Other content under a video's name."""
        self.put("empty.mp4", NO_MEDIA, b"")
        self.put("one_byte.mkv", NO_MEDIA, b"\0")
        self.put("zeros.mp4", NO_MEDIA, bytes(50_000))
        self.put("noise.avi", NO_MEDIA, self._random.randbytes(50_000))
        self.put("text.mp4", NO_MEDIA, b"hello\n" * 100)
        self.put("page.mp4", NO_MEDIA, b"<html><body>404 Not Found</body></html>")
        self.put("list.mp4", NO_MEDIA, b"ffconcat version 1.0\nfile /etc/passwd\n")
        self.put("stream.mp4", NO_MEDIA, b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:1/x.ts\n")
        with h5py.File(self.put("record.mp4", NO_MEDIA), "w") as file:
            file["a"] = 1
        photo = sorted((self.data / "portraits").glob("*.jpg"))[0].read_bytes()
        self.put("photo.mp4", f"{NO_MEDIA}|{NO_SOUND}|too few", photo)
        speech = (self.data / "crema_d/1002_DFA_ANG_XX.mp3").read_bytes()
        self.put("speech.mp4", "no picture", speech)

    def lacking(self) -> None:
        """A part that a clip needs is not there."""
        tone = ("-f", "lavfi", "-i", f"sine=d={SECONDS}")
        wall = ("-f", "lavfi", "-i", f"testsrc=d={SECONDS}:s=160x120")
        black = ("-f", "lavfi", "-i", f"color=d={SECONDS}:s=160x120")
        self.make("no_sound.mp4", NO_SOUND, "-i", self.mp4, "-an", "-c", "copy")
        self.make("no_picture.mp4", "no picture", "-i", self.mp4, "-vn", "-c", "copy")
        self.make("no_face.mp4", "no frame shows a face", *wall, *tone)
        self.make("black.mp4", "no frame shows a face", *black, *tone)
        self.make("one_frame.mp4", "too few", "-i", self.mp4, "-frames:v", "1")
        self.make("three_frames.mp4", "too few", "-i", self.mp4, "-frames:v", "3", "-t", "0.12")
        gone = ("-vf", "drawbox=t=fill:c=black:enable='gt(t,0.2)'")
        self.make("face_leaves.mp4", "of its frames show the face", "-i", self.mp4, *gone)
        long = ("-f", "lavfi", "-i", "sine=d=20", "-map", "0:v", "-map", "1:a")
        self.make("long_sound.mp4", READABLE, "-i", self.mp4, *long, "-c:v", "copy")

    def absurd(self) -> None:
        """Sizes, lengths and names that no camera writes."""
        tone = ("-f", "lavfi", "-i", "sine=d=0.3")
        for name, size, expected in (
            ("tiny.mp4", "2x2", EITHER),
            ("wide.mkv", "8000x16", EITHER),
            ("huge.mkv", "12000x9000", EITHER),
        ):
            picture = ("-f", "lavfi", "-i", f"color=d=0.3:s={size}:r=10")
            codec = ("-c:v", "mjpeg") if name.endswith("mkv") else ()
            self.make(name, expected, *picture, *tone, *codec)
        for name, box, offset, value in (
            ("size.mp4", b"avc1", 28, b"\xff\xff\xff\xff"),
            ("length.mp4", b"mvhd", 16, b"\0\0\0\1\xff\xff\xff\xff"),
            ("times.mp4", b"stts", 12, b"\0\0\0\x4b\x7f\xff\xff\xff"),
            ("scale.mp4", b"mdhd", 16, b"\0\0\0\0"),
            ("count.mp4", b"stsz", 12, b"\x7f\xff\xff\xff"),
        ):
            content = bytearray(self.fast.read_bytes())
            at = content.find(box) + offset
            content[at : at + len(value)] = value
            self.put(name, EITHER, bytes(content))
        self.put("-i.mp4", NO_MEDIA, self.mp4.read_bytes()[:3000])
        self.put("file:a%d 'ü\".mp4", READABLE, self.mp4.read_bytes())
        shutil.copy(self.flv, self.put("flv_named.mp4", READABLE))
        shutil.copy(self.mp4, self.put("mp4_named.avi", READABLE))

    def flipped(self) -> None:
        """Random bytes changed, a few to very many."""
        for count in (10, 100, 1000, 10_000):
            content = bytearray(self.mp4.read_bytes())
            for _ in range(count):
                content[self._random.randrange(len(content))] = self._random.randrange(256)
            self.put(f"flipped_{count}.mp4", EITHER, bytes(content))


@pytest.fixture(scope="module")
def damaged(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Damage:
    folder = tmp_path_factory.mktemp("inputs") / "in"
    folder.mkdir()
    damage = Damage(shared_data, folder)
    damage.cut_short()
    damage.not_video()
    damage.lacking()
    damage.absurd()
    damage.flipped()
    return damage


@pytest.mark.slow
def test_every_damaged_input_is_listed_or_readable(damaged: Damage, tmp_path: Path) -> None:
    assert len(damaged.expected) >= 50
    good = damaged.put("good.mp4", READABLE, damaged.mp4.read_bytes())
    out, spool, log = tmp_path / "out", tmp_path / "spool", tmp_path / "log"
    spool.mkdir()
    command = ("emotalk_cli", "preprocess", damaged.folder, "-o", out, "-j", "2")
    process = start(*command, "--dataset", "folder", "--crop-size", "64", spool=spool, log=log)
    try:
        assert process.wait(120) == 1, log.read_text()
    finally:
        end_session(process)
    assert "Traceback" not in log.read_text()
    assert not leftovers(out, spool) and not list(spool.iterdir())
    rows = {row["path"]: row for row in rows_of(out / "manifest.csv").values()}
    assert rows.keys() == damaged.expected.keys() and good.name in rows
    reasons = {name: row["reason"] for name, row in rows_of(out / "failures.csv").items()}
    for name, expected in damaged.expected.items():
        row = rows[name]
        reason = reasons.pop(row["clip"], "")
        assert bool(reason) == (row["status"] == "failed"), name
        if expected not in (READABLE, EITHER):
            assert re.search(expected, reason), f"{name}: {reason}"
        if reason:
            assert expected != READABLE and REASONS.search(reason), f"{name}: {reason}"
            assert "Unexpected" not in reason
        else:
            path = out / f"{row['clip']}.h5"
            assert len(store.read(path, Clip).valid) == int(row["frames"]), name
            assert row["sha256"] == safe_files.sha256_of(path)
    assert not reasons
    made = {path.stem for path in out.glob("*.h5")}
    assert made == {row["clip"] for row in rows.values() if row["status"] == "done"}
