"""The 52 ARKit face units: read from the source, made symmetric, put right where it falls short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import eyes
from .head import Ring
from .layout import Layout
from .lips import LipSeam
from .source import read_target

# fmt: off
ARKIT_UNITS = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)
# fmt: on
"""Names in the order of ARKit's ARFaceAnchor.BlendShapeLocation."""

# fmt: off
SEALED = (
    "mouthSmile", "mouthFrown", "mouthDimple", "mouthPress", "mouthLeft", "mouthRight",
    "mouthPucker", "mouthRoll", "mouthShrug", "mouthStretch", "cheekPuff", "jawForward",
)
# fmt: on
"""Beginnings of the units that leave closed lips closed."""


def read_units(data: Path, layout: Layout) -> NDArray[np.float64]:
    """(52, N, 3) offsets of the tracked vertices at weight 1, left and right mirror images."""
    folder = data / "faceunits01/targets/faceunits"
    raw = {u: read_target(folder / f"{u}.target")[layout.ids] for u in ARKIT_UNITS}
    return np.stack([0.5 * (raw[u] + mirrored(raw[other_side(u)], layout)) for u in ARKIT_UNITS])


def other_side(unit: str) -> str:
    """The unit that is this one in a mirror."""
    if unit.endswith("Left"):
        return unit.removesuffix("Left") + "Right"
    if unit.endswith("Right"):
        return unit.removesuffix("Right") + "Left"
    return unit


def mirrored(values: NDArray[np.float64], layout: Layout) -> NDArray[np.float64]:
    """(N, 3) offsets or positions as a mirror shows them."""
    return values[layout.mirror] * [-1.0, 1.0, 1.0]


def correct_lips(
    units: NDArray[np.float64], neutral: NDArray[np.float64], seam: LipSeam
) -> NDArray[np.float64]:
    """Keep the lips shut where they should be, with `mouthClose` on an open jaw too."""
    done = units.copy()
    for k, unit in enumerate(ARKIT_UNITS):
        if unit.startswith(SEALED):
            done[k] = seam.seal(units[k])
    close, jaw = ARKIT_UNITS.index("mouthClose"), ARKIT_UNITS.index("jawOpen")
    together = units[close] + units[jaw]
    done[close] = seam.close(neutral + together) - neutral - units[jaw]
    return done


def correct_gaze(
    units: NDArray[np.float64],
    neutral: NDArray[np.float64],
    eyeballs: dict[str, NDArray[np.int64]],
) -> NDArray[np.float64]:
    """Scale the lids' share of the gaze units to the eyeball's turn that this model uses.

    eyeballs: side -> tracked indices of the source's eyeball.
    """
    done = units.copy()
    for k, unit in enumerate(ARKIT_UNITS):
        if not unit.startswith("eyeLook"):
            continue
        ball = eyeballs["left" if unit.endswith("Left") else "right"]
        centre, _ = eyes.fit_sphere(neutral[ball])
        direction = unit.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
        source_deg = eyes.source_gaze_deg(units[k][ball], neutral[ball], centre)
        done[k] *= min(eyes.GAZE_DEG[direction] / source_deg, 1.5)
    return done


def correct_blinks(
    units: NDArray[np.float64],
    neutral: NDArray[np.float64],
    lids: dict[str, list[Ring]],
    centres: dict[str, NDArray[np.float64]],
    radius: float,
) -> NDArray[np.float64]:
    """Let the lids meet and clear the eyeball."""
    done = units.copy()
    for side in ("left", "right"):
        k = ARKIT_UNITS.index(f"eyeBlink{side.capitalize()}")
        done[k] = eyes.close_lids(units[k], neutral, lids[side], centres[side], radius)
    return done
