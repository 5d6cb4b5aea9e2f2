"""fit-3dmm --preview, and the pictures that it draws upon."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError, StaleOutputError
from emotalk_cli.media import read_frames
from emotalk_cli.render.video import read_made_by
from emotalk_cli.schema import Clip, FaceTrack
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.fit_preview import FITTED, PANEL_PX, SEEN
from emotalk_cli.stages.track_making import warnings_of
from emotalk_cli.stages.track_pictures import Shot, shots_of
from emotalk_cli.store import read, write
from tests.stages.test_fit_3dmm import put_clip

GREY = 128


class Notes:
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def task(self, title: str, total: int | None = None) -> None: ...

    def advance(self, steps: int = 1) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def with_frames(path: Path) -> Path:
    """The clip with grey pictures of its crop."""
    clip = read(path, Clip)
    jpeg = cv2.imencode(".jpg", np.full((200, 200, 3), GREY, np.uint8))[1].ravel()
    count = len(clip.valid)
    ends = (np.arange(count) + 1) * len(jpeg)
    return write(
        replace(clip, frames_jpeg=np.tile(jpeg, count), frame_ends=ends.astype(np.int64)), path
    )


def test_clips_are_drawn_one_after_another(tmp_path: Path) -> None:
    for name in ("a1", "a2"):
        with_frames(put_clip(tmp_path / "clips" / f"{name}.h5", "a"))
    preview = tmp_path / "look.mp4"
    done = fit_3dmm(tmp_path / "clips", tmp_path / "tracks", preview=preview)
    assert done.preview == preview
    frames = list(read_frames(preview, 25.0))
    assert len(frames) == 60
    left, right = frames[0][:PANEL_PX, :PANEL_PX], frames[0][:PANEL_PX, PANEL_PX:]
    for colour in (SEEN, FITTED):
        assert (np.abs(left.astype(int) - colour).sum(axis=-1) < 110).sum() > 50, "dots"
    middle = right[PANEL_PX // 2 - 40 : PANEL_PX // 2 + 40, 200:280].astype(int)
    assert (middle[..., 2] - middle[..., 0]).mean() > 30, "the mesh covers the face"
    assert np.abs(right[5:20, 5:20].astype(int) - GREY).max() < 12, "and not the corner"
    assert read_made_by(preview) is None


def test_clips_without_frames_are_drawn_on_black(tmp_path: Path) -> None:
    put_clip(tmp_path / "a.h5", "a")
    fit_3dmm(tmp_path / "a.h5", tmp_path / "b.h5", preview=tmp_path / "look.mp4")
    frame = next(iter(read_frames(tmp_path / "look.mp4", 25.0)))
    assert frame[:PANEL_PX, :PANEL_PX].max() > 150
    assert np.median(frame[:PANEL_PX, :PANEL_PX]) < 5


@pytest.mark.parametrize(
    ("name", "message"), [("look.png", "no name for a preview"), ("look", "no name")]
)
def test_wrong_names_are_refused_before_any_work(tmp_path: Path, name: str, message: str) -> None:
    put_clip(tmp_path / "a.h5", "a")
    with pytest.raises(EmotalkError, match=message):
        fit_3dmm(tmp_path / "a.h5", tmp_path / "b.h5", preview=tmp_path / name)
    assert not (tmp_path / "b.h5").exists()


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    put_clip(tmp_path / "a.h5", "a")
    (tmp_path / "look.mp4").write_text("mine")
    with pytest.raises(StaleOutputError, match="exists already"):
        fit_3dmm(tmp_path / "a.h5", tmp_path / "b.h5", preview=tmp_path / "look.mp4")
    assert (tmp_path / "look.mp4").read_text() == "mine"


def test_squares_keep_places() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    picture[40:44, 60:64] = 255
    shot = Shot(picture, np.array([10, 20], np.float32), 2.0, None)
    near = shot.square(np.array([40, 40], np.float32), 20.0, 200)
    # The bright square lies at (40, 40)..(42, 42) in the source: the middle of what is shown.
    y, x = np.nonzero(near.picture[..., 0] > 127)
    assert abs(x.mean() + 0.5 - 110) < 1.5
    assert abs(y.mean() + 0.5 - 110) < 1.5
    assert abs(np.ptp(x) + 1 - 20) <= 2
    back = ((41 - near.origin_px) * near.scale).tolist()
    np.testing.assert_allclose(back, [110, 110])


def test_pictures_of_a_clip_carry_its_landmarks(tmp_path: Path) -> None:
    clip = with_frames(put_clip(tmp_path / "a.h5", "a"))
    shots = list(shots_of(clip, 25.0))
    assert len(shots) == 30
    assert shots[0].scale == pytest.approx(0.5)
    assert shots[0].landmarks is not None and shots[0].landmarks.shape == (478, 2)


def test_pictures_tell_whether_a_bad_fit_is_due_to_blur(tmp_path: Path) -> None:
    clip = with_frames(put_clip(tmp_path / "a.h5", "a"))
    track = read(fit_3dmm(clip, tmp_path / "b.h5").tracks[0], FaceTrack)
    landmarks = read(clip, Clip).landmarks
    assert warnings_of(landmarks, track, clip) == ()
    bad = replace(track, residual_px=track.residual_px + 20)
    assert "or the picture is blurred" in warnings_of(landmarks, bad)[0]
    assert warnings_of(landmarks, bad, clip)[0].endswith("the picture is blurred.")
    assert "hide the face, or" not in warnings_of(landmarks, bad, clip)[0]


def test_clips_that_name_no_speaker_are_spoken_of(tmp_path: Path) -> None:
    put_clip(tmp_path / "clips" / "a.h5", "")
    put_clip(tmp_path / "clips" / "b.h5", "b")
    told = Notes()
    fit_3dmm(tmp_path / "clips", tmp_path / "tracks", progress=told)
    assert any("1 of 2 clips name no speaker" in note for note in told.notes)
    told = Notes()
    fit_3dmm(tmp_path / "clips", tmp_path / "tracks2", identity="clip", progress=told)
    assert not any("speaker" in note for note in told.notes)


def test_a_portrait_is_drawn_into_a_png(tmp_path: Path, shared_data: Path) -> None:
    photo = shared_data / "portraits" / "009.jpg"
    fit_3dmm(photo, tmp_path / "p.h5", preview=tmp_path / "p.png")
    assert cv2.imread(str(tmp_path / "p.png")).shape[1] == 2 * PANEL_PX
    with pytest.raises(EmotalkError, match=r"NAME\.png"):
        fit_3dmm(photo, tmp_path / "q.h5", preview=tmp_path / "p.mp4")
