"""One person for all tests of the renderer: the demo's photo, its landmarks and its fit."""

from pathlib import Path

import pytest

from emotalk_cli.face3d.fitting.fit import fit_photo
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.render.photo import read_photo
from emotalk_cli.schema import MadeBy
from tests.render.render_person import Person

DEMO_FACE = Path(__file__).resolve().parents[2] / "emotalk_cli" / "assets" / "demo_face.jpg"


@pytest.fixture(scope="session")
def person() -> Person:
    photo = read_photo(DEMO_FACE)
    landmarks = require_face(photo, DEMO_FACE).landmarks
    model = load_default_face_model()
    made_by = MadeBy(stage="test", version="0")
    still = fit_photo(landmarks, photo.shape[1], photo.shape[0], model, made_by=made_by)
    return Person(photo, landmarks, still, model)
