"""OBJ files: what they may look like, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.models.obj_file import read_obj, read_obj_vertices


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_polygons_become_fans_with_their_materials(tmp_path: Path) -> None:
    mesh = read_obj(
        put(
            tmp_path / "a.obj",
            "# note\nv 0 0 0\nv 1 0 0\n"
            + "v 1 1 0\nv 0 1 1e-1\nvt 0 0\nvn 0 0 1\nusemtl skin\nf 1/1/1 2/1 3//1 4\n"
            + "usemtl eye\nf -4 -3 -2\n",
        )
    )
    np.testing.assert_allclose(mesh.vertices[3], [0, 1, 0.1])
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 2], [0, 2, 3], [0, 1, 2]])
    assert [mesh.materials[k] for k in mesh.triangle_materials] == ["skin", "skin", "eye"]


def test_colours_behind_the_places_are_passed_over(tmp_path: Path) -> None:
    path = put(tmp_path / "a.obj", "v 0 0 1 .5 .5 .5\nv 1 0 2 .5 .5 .5\n")
    np.testing.assert_array_equal(read_obj_vertices(path, 2), [[0, 0, 1], [1, 0, 2]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no sound vertices"),
        ("v 1 2\n", "no sound vertices"),
        ("v 1 2 3\nv 1 2\n", "no OBJ mesh"),
        ("v 1 2 three\n", "no OBJ mesh"),
        ("v 1 2 nan\n", "no sound vertices"),
        ("v 1 2 3\n", "no polygons"),
        ("v 1 2 3\nf 1 2 3\n", "not there"),
        ("v 1 2 3\nf 1 x 3\n", "damaged polygon"),
    ],
)
def test_what_is_no_mesh_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EmotalkError, match=message):
        read_obj(put(tmp_path / "a.obj", text))
    with pytest.raises(EmotalkError, match="cannot be read"):
        read_obj(tmp_path / "none.obj")


def test_another_number_of_vertices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="has 1 vertices, not 2"):
        read_obj_vertices(put(tmp_path / "a.obj", "v 1 2 3\n"), 2)
