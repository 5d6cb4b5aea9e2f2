"""Tracks of a face model from the user's files, through the stages."""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack
from emotalk_cli.stages.fit_3dmm import fit_3dmm
from emotalk_cli.stages.motion_making import direction_of
from emotalk_cli.stages.score import score
from emotalk_cli.stages.track_making import load_face_model
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.store import read
from tests.face3d.model_files import put_ict
from tests.stages.test_fit_3dmm import FRAMES, put_clip
from tests.stages.test_fit_preview import Notes


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Notes]:
    """A folder with clips, their tracks by an ICT model and by the default, and the model."""
    folder = tmp_path_factory.mktemp("ict")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    model = f"ict:{put_ict(folder / 'FaceXModel')}"
    put_clip(folder / "clips" / "a.h5", "x")
    told = Notes()
    fit_3dmm(folder / "clips", folder / "tracks", face_model=model, progress=told)
    fit_3dmm(folder / "clips", folder / "plain")
    patch.undo()
    return folder, model, told


def test_the_track_names_its_model_and_what_it_lacks(fitted: tuple[Path, str, Notes]) -> None:
    folder, model, told = fitted
    track = read(folder / "tracks" / "a.h5", FaceTrack)
    assert track.face_model == "ict"
    assert track.expression_names == ("browInnerUpLeft", "jawOpen", "mouthSmileLeft")
    assert track.made_by.options["face_model"] == "ict:FaceXModel", "no path of this machine"
    assert "centimetres" in track.made_by.options["face_model_notes"]
    assert any("lacks 50 of 53 units" in note for note in told.notes)
    jaw = track.expression[:, 1]
    assert np.corrcoef(jaw, 0.3 - 0.3 * np.cos(np.arange(FRAMES) / 3))[0, 1] > 0.95
    assert load_face_model(model) is load_face_model(model), "read once"


def test_it_is_scored_by_its_own_model_alone(
    fitted: tuple[Path, str, Notes], tmp_path: Path
) -> None:
    folder, model, _ = fitted
    tracks = folder / "tracks"
    assert score([tracks], tracks, tmp_path / "own", face_model=model).clips == 1
    with pytest.raises(EmotalkError, match="another face model"):
        score([tracks], tracks, tmp_path / "other")


def test_the_default_decoders_and_styles_refuse_it(
    fitted: tuple[Path, str, Notes], tmp_path: Path
) -> None:
    folder, _, _ = fitted
    with pytest.raises(EmotalkError, match="units of the face model ict"):
        direction_of(VideoOptions(style=folder / "tracks" / "a.h5"))


@pytest.mark.parametrize("name", ["ict", "default:x", "smpl:x", "ict:", ""])
def test_unknown_names_list_what_there_is(name: str) -> None:
    with pytest.raises(EmotalkError, match="no face model") as refusal:
        load_face_model(name)
    assert "ict:FOLDER, flame:FILE, bfm:FILE" in refusal.value.next_step
