"""Pictures and sound of any file come on one clock, and bad files get a fitting reason."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import ffmpeg_binary, probe, read_frames, read_sound

FLASH = "lt(mod(T+0.6,1),0.1)"  # a white flash and a beep 0.4 s into every second
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac")


def ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_binary(), "-y", "-v", "error", *arguments], check=True)


def make(
    path: Path,
    *options: str,
    seconds: float = 3,
    rate: str = "25",
    size: str = "96x64",
    video: str = "",
    audio: str = "",
    late: float = 0.0,
) -> Path:
    pictures = f"color=c=black:s={size}:r={rate}:d={seconds},geq=lum='if({FLASH},235,16)'"
    sound = f"aevalsrc='if({FLASH.lower()},sin(2*PI*1000*t),0)':s=44100:d={seconds}"
    ffmpeg(
        *("-f", "lavfi", "-i", f"{pictures}:cb=128:cr=128{video}"),
        *("-itsoffset", str(late), "-f", "lavfi", "-i", sound + audio),
        *options,
        str(path),
    )
    return path


def lags_ms(path: Path) -> np.ndarray:
    """How much later each flash is seen than its beep is heard."""
    light = np.array([f[f.shape[0] // 2, f.shape[1] // 2].mean() for f in read_frames(path)])
    flashes = (np.flatnonzero((light[1:] > 128) & (light[:-1] <= 128)) + 1) / 25
    loud = np.flatnonzero(np.abs(read_sound(path)) > 0.1)
    beeps = loud[np.r_[True, np.diff(loud) > 4000]] / 16000
    assert len(flashes) >= 3
    return np.array([1000 * (t - beeps[np.argmin(np.abs(beeps - t))]) for t in flashes])


@pytest.mark.parametrize(
    ("name", "rate", "options"),
    [
        ("a.mp4", "25", H264),
        ("b.mp4", "30000/1001", H264),
        ("c.mkv", "50", ("-c:v", "ffv1", "-c:a", "flac")),
        ("d.flv", "30", ("-c:v", "flv", "-c:a", "libmp3lame")),
        ("e.ts", "25", H264),
        ("f.mov", "60", ("-c:v", "mpeg4", "-c:a", "pcm_s16le")),
    ],
)
def test_sound_and_picture_agree(
    tmp_path: Path, name: str, rate: str, options: tuple[str, ...]
) -> None:
    assert np.abs(lags_ms(make(tmp_path / name, *options, rate=rate))).max() < 8


def test_interlaced_video_is_read_at_its_frame_rate(tmp_path: Path) -> None:
    path = make(
        tmp_path / "i.mpg",
        *("-r", "25", "-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-c:a", "mp2"),
        rate="50",
        size="352x288",
        video=",tinterlace=interleave_top,fieldorder=tff",
    )
    assert np.abs(lags_ms(path)).max() < 8


@pytest.mark.parametrize("late", [0.3, -0.3])
def test_tracks_that_start_apart_keep_their_distance(tmp_path: Path, late: float) -> None:
    path = make(tmp_path / "late.mkv", "-c:v", "ffv1", "-c:a", "flac", late=late)
    assert np.abs(lags_ms(path) + 1000 * late).max() < 8
    assert probe(path).sound_offset_s == pytest.approx(late, abs=0.002)


def test_a_drifting_clock_is_followed(tmp_path: Path) -> None:
    # Sound from a device that runs 0.5 % slow, with true time stamps: 150 ms in 30 s.
    path = make(
        tmp_path / "drift.mkv",
        *("-c:v", "ffv1", "-c:a", "pcm_s16le"),
        seconds=30,
        size="32x32",
        audio=",asetrate=44320.5,asetpts=N/44100/TB,aresample=44100:async=0",
    )
    straight = lags_ms(path)
    assert np.ptp(straight) < 20


def test_size_and_count_of_frames(tmp_path: Path) -> None:
    path = make(tmp_path / "n.mkv", "-c:v", "ffv1", "-c:a", "flac", rate="60", size="66x44")
    frames = list(read_frames(path))
    assert len(frames) == 75
    assert frames[0].shape == (44, 66, 3)
    assert frames[0].dtype == np.uint8
    assert len(list(read_frames(path, fps=10))) == 30
    assert next(read_frames(path, size=(20, 10))).shape == (10, 20, 3)


def test_rotation_and_pixel_aspect(tmp_path: Path) -> None:
    flat = make(tmp_path / "flat.mov", *H264)
    turned = tmp_path / "turned.mov"
    try:
        ffmpeg("-display_rotation:v:0", "90", "-i", str(flat), "-c", "copy", str(turned))
    except subprocess.CalledProcessError:  # before version 6
        ffmpeg("-i", str(flat), "-metadata:s:v:0", "rotate=270", "-c", "copy", str(turned))
    info = probe(turned)
    assert (info.width_px, info.height_px) == (64, 96)
    assert next(read_frames(turned)).shape == (96, 64, 3)
    wide = make(tmp_path / "w.mkv", "-c:v", "ffv1", "-c:a", "flac", video=",setsar=3/2")
    assert next(read_frames(wide)).shape == (64, 144, 3)


def test_odd_sizes_and_ten_bits(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=67x45:d=0.2", "-c:v", "ffv1", "-pix_fmt", "gbrp10le",
        str(path),
    )  # fmt: skip
    frames = list(read_frames(path))
    assert frames[0].shape == (45, 67, 3)
    assert frames[0].max() > 200


def test_crop_cuts_and_pads(tmp_path: Path) -> None:
    path = tmp_path / "g.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "color=c=white:s=40x30:r=25:d=0.2", "-vf", "format=rgb24",
        "-c:v", "ffv1", "-pix_fmt", "bgr0", str(path),
    )  # fmt: skip
    frame = next(read_frames(path, crop=(-10, -5, 30, 30)))
    assert frame.shape == (30, 30, 3)
    assert frame[:5].max() == frame[:, :10].max() == 0
    assert frame[5:, 10:].min() == 255


def test_sound_beside_the_picture_is_the_same(tmp_path: Path) -> None:
    path = make(tmp_path / "s.mp4", *H264)
    for _ in read_frames(path, sound_to=tmp_path / "raw"):
        pass
    raw = np.fromfile(tmp_path / "raw", "<f4")
    assert np.abs(np.clip(raw, -1, 1) - read_sound(path)).max() < 1e-6


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:d=0.04", "-frames:v", "1", str(tmp_path / "c.png"))
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", str(tmp_path / "s.mp3"))
    song = tmp_path / "song.mp3"
    ffmpeg(
        "-i", str(tmp_path / "s.mp3"), "-i", str(tmp_path / "c.png"),
        "-map", "0", "-map", "1", "-c", "copy", str(song),
    )  # fmt: skip
    assert not probe(song).has_video
    assert read_sound(song).size == pytest.approx(16000, abs=800)


def test_names_are_never_options_or_addresses(tmp_path: Path) -> None:
    made = make(tmp_path / "m.mp4", *H264, seconds=1)
    for name in ("-y.mp4", "http:x%d.mp4", "a b'ü.mp4"):
        path = tmp_path / name
        path.write_bytes(made.read_bytes())
        assert len(list(read_frames(path))) == 25
        assert read_sound(path).size > 15000


def test_damaged_files_get_a_reason(tmp_path: Path) -> None:
    good = make(tmp_path / "good.mp4", *H264, "-movflags", "+faststart").read_bytes()
    cases = {
        "empty.mp4": (b"", "is empty"),
        "text.wav": (b"hello\n" * 50, "no media file"),
        "list.mp4": (b"ffconcat version 1.0\nfile /etc/passwd\n", "no media file"),
        "head.mp4": (good[:300], "neither picture nor sound"),
        "cut.mp4": (good[: len(good) * 2 // 3], "cut off"),
    }
    for name, (data, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(EmotalkError, match=reason) as caught:
            list(read_frames(path))
        assert "Traceback" not in str(caught.value)
        assert caught.value.next_step
    with pytest.raises(EmotalkError, match="There is no file"):
        probe(tmp_path / "nowhere.mp4")
    with pytest.raises(EmotalkError, match="folder"):
        probe(tmp_path)


def test_missing_tracks_are_named(tmp_path: Path) -> None:
    both = make(tmp_path / "both.mp4", *H264, seconds=1)
    ffmpeg("-i", str(both), "-an", "-c", "copy", str(tmp_path / "mute.mp4"))
    ffmpeg("-i", str(both), "-vn", "-c", "copy", str(tmp_path / "blind.mp4"))
    with pytest.raises(EmotalkError, match="no sound: it holds pictures alone"):
        read_sound(tmp_path / "mute.mp4")
    with pytest.raises(EmotalkError, match="no picture: it holds sound alone"):
        next(read_frames(tmp_path / "blind.mp4"))


def test_a_closed_reader_leaves_no_child(tmp_path: Path) -> None:
    path = make(tmp_path / "c.mp4", *H264)
    before = children()
    frames = read_frames(path)
    next(frames)
    assert children() > before
    frames.close()
    assert children() == before


def children() -> int:
    listed = subprocess.run(["ps", "-eo", "comm"], capture_output=True, text=True, check=True)
    return listed.stdout.split().count(Path(ffmpeg_binary()).name[:15])
