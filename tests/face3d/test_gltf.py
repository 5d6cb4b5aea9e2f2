"""The glTF file is whole: chunks, accessors, targets and animation say the same."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotalk_cli.face3d.gltf import write_glb
from emotalk_cli.face3d.models.default_model import load_default_face_model

FRAMES = 12
COMPONENTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
DTYPES = {5126: np.float32, 5125: np.uint32}


@pytest.fixture(scope="module")
def motion() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    expression = rng.random((FRAMES, 52)).astype(np.float32)
    return expression, rng.normal(0, 0.1, (FRAMES, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def glb(tmp_path_factory: pytest.TempPathFactory, motion: tuple[np.ndarray, np.ndarray]) -> bytes:
    path: Path = tmp_path_factory.mktemp("glb") / "head.glb"
    model = load_default_face_model()
    shape = np.zeros(model.identity_basis.shape[0], np.float32)
    shape[0] = 1.0
    write_glb(path, model, shape, *motion, fps=25.0, generator="test")
    return path.read_bytes()


def chunks(glb: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<III", glb)
    assert magic == 0x46546C67 and version == 2 and length == len(glb)
    size, kind = struct.unpack_from("<II", glb, 12)
    assert kind == 0x4E4F534A and size % 4 == 0
    binary_size, binary_kind = struct.unpack_from("<II", glb, 20 + size)
    assert binary_kind == 0x004E4942 and 28 + size + binary_size == length
    return json.loads(glb[20 : 20 + size]), glb[28 + size :]


def values(document: dict[str, Any], binary: bytes, number: int) -> np.ndarray:
    accessor = document["accessors"][number]
    view = document["bufferViews"][accessor["bufferView"]]
    width = COMPONENTS[accessor["type"]]
    content = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    found = np.frombuffer(content, DTYPES[accessor["componentType"]]).reshape(-1, width)
    assert len(found) == accessor["count"]
    return found


def test_every_accessor_lies_in_the_buffer_within_its_bounds(glb: bytes) -> None:
    document, binary = chunks(glb)
    assert document["buffers"] == [{"byteLength": len(binary)}]
    for number, accessor in enumerate(document["accessors"]):
        found = values(document, binary, number)
        assert np.isfinite(found).all()
        if "min" in accessor:
            np.testing.assert_array_equal(found.min(axis=0), np.float32(accessor["min"]))
            np.testing.assert_array_equal(found.max(axis=0), np.float32(accessor["max"]))


def test_targets_are_the_units_and_all_triangles_are_there_once(glb: bytes) -> None:
    document, binary = chunks(glb)
    model = load_default_face_model()
    (mesh,) = document["meshes"]
    assert tuple(mesh["extras"]["targetNames"]) == model.expression_names
    assert len(mesh["weights"]) == 52
    triangles = []
    for primitive in mesh["primitives"]:
        assert len(primitive["targets"]) == 52
        assert "POSITION" in primitive["attributes"] and primitive["material"] is not None
        triangles.append(values(document, binary, primitive["indices"]).reshape(-1, 3))
    listed = np.concatenate(triangles).astype(np.int64)
    assert len(listed) == len(model.triangles) and listed.max() < len(model.mean_vertices)
    assert {tuple(row) for row in listed} == {tuple(row) for row in model.triangles.tolist()}
    names = [material["name"] for material in document["materials"]]
    assert {"iris_left", "pupil_right", "teeth_upper"} <= set(names)


def test_morphs_and_animation_move_the_head_as_the_model_does(
    glb: bytes, motion: tuple[np.ndarray, np.ndarray]
) -> None:
    from scipy.spatial.transform import Rotation

    document, binary = chunks(glb)
    expression, delta = motion
    (animation,) = document["animations"]
    made = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        clock = values(document, binary, sampler["input"])[:, 0]
        np.testing.assert_allclose(clock, np.arange(FRAMES) / 25, atol=1e-6)
        made[channel["target"]["path"]] = values(document, binary, sampler["output"])
    weights = made["weights"].reshape(FRAMES, 52)
    np.testing.assert_array_equal(weights, expression)
    np.testing.assert_allclose(
        Rotation.from_quat(made["rotation"]).as_matrix(),
        Rotation.from_rotvec(delta[:, :3]).as_matrix(),
        atol=1e-6,
    )
    assert ((made["rotation"][1:] * made["rotation"][:-1]).sum(axis=1) > 0).all()
    np.testing.assert_array_equal(made["translation"], delta[:, 3:])
    primitive = document["meshes"][0]["primitives"][0]
    moved = values(document, binary, primitive["attributes"]["POSITION"]).copy()
    for weight, target in zip(weights[5], primitive["targets"], strict=True):
        moved += weight * values(document, binary, target["POSITION"])
    model = load_default_face_model()
    shape = np.zeros(model.identity_basis.shape[0], np.float32)
    shape[0] = 1.0
    np.testing.assert_allclose(moved, model.vertices(shape, expression[5]), atol=1e-5)
