"""What the page's values mean, without a browser."""

from pathlib import Path

import pytest

from emotalk_cli.decoders.direction.emotions import EMOTIONS, parse_emotion
from emotalk_cli.errors import EmotalkError
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.ui.work import Key, ShareOfWork, make_video, timeline, told


def test_keys_become_a_timeline() -> None:
    keys = [
        Key(True, 0.0, "happy", 0.5),
        Key(False, 1.0, "fear", 1.0),
        Key(True, 6.0, "sad", 1.0),
        Key(True, 2.5, "angry", 0.25),
    ]
    text = timeline(keys)
    assert text == "0 happy:0.5, 2.5 angry:0.25, 6 sad:1"
    weights = parse_emotion(text, 1.0).weights([0.0, 4.0, 9.0])
    assert weights[:, EMOTIONS.index("angry")].tolist() == pytest.approx([0, 0.25, 0])
    assert timeline([Key(False, 0.0, "happy", 1.0)]) == "neutral"
    assert timeline([Key(True, 3.0, "happy", 1.0)]) == "0 happy:1"


def test_progress_is_a_share() -> None:
    seen: list[tuple[float | None, str]] = []
    progress = ShareOfWork(lambda share, text: seen.append((share, text)))
    progress.task("Listening")
    progress.advance()
    progress.task("Drawing", 4)
    progress.advance(3)
    assert seen == [(None, "Listening"), (None, "Drawing"), (0.75, "Drawing")]


@pytest.mark.parametrize(("photo", "sound"), [(None, "a.wav"), ("f.jpg", None), ("", "")])
def test_what_is_missing_is_said(photo: str | None, sound: str | None, tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="There is no"):
        make_video(photo, sound, VideoOptions(), tmp_path, lambda share, text: None)
    assert not list(tmp_path.iterdir())


def test_errors_name_uploads_and_results_by_their_own_names(tmp_path: Path) -> None:
    upload = tmp_path / "0a1b" / "my face.jpg"
    problem = f"{upload} is bad, and {tmp_path}/video-x1/emotalk.mp4 cannot be written."
    said = told(EmotalkError(problem, "Try again."), tmp_path, (str(upload), None))
    assert said == "my face.jpg is bad, and emotalk.mp4 cannot be written. Try again."
    assert "bug" in told(ValueError("odd"), tmp_path, ())
