"""The shaded head by our own rasteriser and by PyTorch3D, where that is installed."""

import importlib.util

import numpy as np
import pytest

from emotalk_cli import parts
from emotalk_cli.errors import EmotalkError
from emotalk_cli.render.mesh import GROUND, MeshRenderer
from tests.render.render_person import Person

HAS_PYTORCH3D = importlib.util.find_spec("pytorch3d") is not None
SIZE_PX = 128


def make(name: str, person: Person) -> parts.Renderer:
    drawn: parts.Renderer = parts.make(
        parts.RENDERERS,
        name,
        person.photo,
        person.landmarks,
        person.still,
        person.model,
        size_px=SIZE_PX,
    )
    return drawn


@pytest.mark.parametrize("name", ["portrait", "mesh"])
def test_renderers_by_name_meet_the_protocol(person: Person, name: str) -> None:
    drawn = make(name, person)
    frame = drawn.frame(person.still.expression[0], person.still.head_pose[0], 0.5)
    assert frame.shape == (drawn.height_px, drawn.width_px, 3)
    assert max(frame.shape) == SIZE_PX
    assert frame.dtype == np.uint8


def test_the_shaded_head_stands_where_the_face_is(person: Person) -> None:
    drawn = MeshRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=SIZE_PX
    )
    frame = drawn.frame(person.still.expression[0], person.still.head_pose[0])
    nose, chin = (person.landmarks[[4, 152], :2] * SIZE_PX / person.photo.shape[1]).astype(int)
    for x, y in (nose, chin - [0, 3]):
        assert np.abs(frame[y, x].astype(int) - GROUND).max() > 40
    assert np.array_equal(frame[0, 0], GROUND)


@pytest.mark.skipif(HAS_PYTORCH3D, reason="PyTorch3D is installed")
def test_without_pytorch3d_the_message_names_the_way_out(person: Person) -> None:
    with pytest.raises(EmotalkError, match="PyTorch3D") as caught:
        make("pytorch3d", person)
    assert "--renderer mesh" in caught.value.next_step


@pytest.mark.skipif(not HAS_PYTORCH3D, reason="PyTorch3D is not installed")
def test_pytorch3d_draws_what_mesh_draws(person: Person) -> None:
    expression = person.expression(jawOpen=0.5)
    ours = make("mesh", person).frame(expression, person.still.head_pose[0]).astype(int)
    theirs = make("pytorch3d", person).frame(expression, person.still.head_pose[0])
    assert np.abs(ours - theirs).mean() < 1.0
