"""Swappable parts: the protocols they meet, and the tables name -> class, loaded lazily."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import FaceTrack


class FaceGeometry(Protocol):
    """What the rooms beside face3d may ask of a face model (`face3d.models.linear_model`)."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def expression_names(self) -> tuple[str, ...]: ...
    @property
    def triangles(self) -> NDArray[np.int32]: ...
    @property
    def triangle_parts(self) -> NDArray[np.int32]: ...
    @property
    def part_names(self) -> tuple[str, ...]: ...
    @property
    def contours(self) -> Mapping[str, NDArray[np.int32]]: ...
    @property
    def landmark_triangles(self) -> NDArray[np.int32]: ...
    @property
    def landmark_barycentric(self) -> NDArray[np.float32]: ...
    @property
    def eye_centres_m(self) -> NDArray[np.float32]: ...
    @property
    def eye_radius_m(self) -> float: ...
    @property
    def iris_radius_m(self) -> float: ...

    @property
    def lip_units(self) -> tuple[str, ...]:
        """Names of the units that the lip decoder moves."""
        ...

    @property
    def other_units(self) -> tuple[str, ...]:
        """Names of all other units."""
        ...

    def vertices(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Shape (S,) and expression (..., E) -> vertices (..., V, 3) in metres."""
        ...

    def landmarks(
        self, shape: NDArray[np.float32], expression: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Shape (S,) and expression (..., E) -> the 478 landmarks (..., 478, 3) in metres."""
        ...

    def landmark_bases(
        self, shape: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Neutral landmarks (478, 3) of a shape (S,) and what units add (E, 478, 3), metres."""
        ...


class SpeechEncoder(Protocol):
    """Turns sound into one row of features per moment."""

    name: str
    feature_names: tuple[str, ...]
    rate_hz: float

    def encode(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mono 16 kHz waveform (S,) in -1..1 -> features (N, P) float32; row n is n / rate_hz s."""
        ...


class Renderer(Protocol):
    """Draws one person moved by coefficients; made once per photo, then called per frame."""

    width_px: int
    height_px: int

    def frame(
        self,
        expression: NDArray[np.float32],
        head_pose: NDArray[np.float32],
        breath: float = 0.0,
    ) -> NDArray[np.uint8]:
        """Expression (E,) in 0..1 and head pose (6,) rad, m -> picture (H, W, 3) uint8 RGB.

        `breath` in 0..1 lifts the shoulders, where they are shown; 0 is the photo's. The array may
        be reused by the next call: copy it to keep it.
        """
        ...


class DifferentiableRasteriser(Protocol):
    """Draws coloured triangles so that a picture's error can be traced back to the vertices.

    Made with the triangles (F, 3) int32, counter-clockwise seen from outside.
    """

    def draw(
        self,
        xy: NDArray[np.float64],
        depth: NDArray[np.float64],
        colours: NDArray[np.float64],
        background: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Vertices (V, 2) px, depths (V,) m, colours (V, C) over (H, W, C) -> the picture."""
        ...

    def trace(
        self, gradient: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient (H, W, C) by the picture last drawn -> by xy (V, 2) and by colours (V, C)."""
        ...


class Metric(Protocol):
    """Compares one predicted track with one reference track."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def unit(self) -> str:
        """Unit of its value, empty where it has none."""
        ...

    @property
    def better(self) -> str:
        """Either "lower" or "higher"; empty where neither is better."""
        ...

    def __call__(self, predicted: FaceTrack, reference: FaceTrack) -> float:
        """Value of the metric for one pair of tracks."""
        ...


Table = Mapping[str, str]

SPEECH_ENCODERS: Table = {
    "hama": "emotalk_cli.audio.hama_encoder:HamaEncoder",
    "hama-hidden": "emotalk_cli.audio.hama_encoder:HamaHiddenEncoder",
    "mel": "emotalk_cli.audio.mel_encoder:MelEncoder",
    "hf": "emotalk_cli.audio.hf_encoder:HfEncoder",
}
FACE_MODELS: Table = {
    "default": "emotalk_cli.face3d.models.default_model:load_default_face_model",
    "ict": "emotalk_cli.face3d.models.ict_model:load_ict_model",
    "flame": "emotalk_cli.face3d.models.flame_model:load_flame_model",
    "bfm": "emotalk_cli.face3d.models.bfm_model:load_bfm_model",
}
DIFFERENTIABLE_RASTERISERS: Table = {
    "deodr": "emotalk_cli.face3d.photometric.rasteriser_deodr:DeodrRasteriser",
    "pytorch3d": "emotalk_cli.face3d.photometric.rasteriser_pytorch3d:Pytorch3dRasteriser",
}
RENDERERS: Table = {
    "portrait": "emotalk_cli.render.pasted:animate_portrait",
    "mesh": "emotalk_cli.render.mesh:MeshRenderer",
    "pytorch3d": "emotalk_cli.render.pytorch3d_mesh:Pytorch3dRenderer",
}


def make(table: Table, name: str, *args: Any, **kwargs: Any) -> Any:
    """Build the part called `name`; `name:ARGUMENT` passes the argument on to the part first."""
    key, _, argument = name.partition(":")
    if key not in table:
        raise EmotalkError(f"There is no part called '{key}'.", f"Known: {', '.join(table)}.")
    module, _, attribute = table[key].partition(":")
    part = getattr(importlib.import_module(module), attribute)
    return part(argument, *args, **kwargs) if argument else part(*args, **kwargs)
