"""What is known of expressions before looking: sparse, smooth in time, eyes together, sides alike.

Units are told by what their names say (ARKit's, or any that call their parts alike); a model whose
names say nothing gets the plain prior.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

SPARSITY = 1.0
FREE_SPARSITY = 0.1
FREE_PARTS = ("look",)
"""Units that people use all the time: gaze is hardly ever exactly straight."""
STATIC_PARTS = (
    "brow", "frown", "squint", "wide", "sneer", "stretch", "shrug", "press", "roll", "dimple",
)  # fmt: skip
"""Units that look like the shape of a face at rest."""
STIFFNESS = {"blink": 0.03, "jaw": 0.35, "mouth": 0.35, "lip": 0.35, "tongue": 0.35, "look": 0.35}
OTHER_STIFFNESS = 1.0
"""Weight of the second difference in time, as a share of what the landmarks say of the unit, at
25 frames a second, by the first of these parts in its name: .03 halves motion of 10 Hz (lids),
.35 of 5.3 Hz (articulation), 1 of 4 Hz."""
EYES_TOGETHER = 100.0
SIDES_ALIKE = 1.0
"""Curvature of the cost of different gaze of the two eyes, and of different sides of the face."""
OPPOSITION = 0.7
"""Units that pull against each other: share of their geometric mean curvature."""
OPPOSED = (
    ("eyeLookUp", "eyeLookDown"),
    ("eyeLookIn", "eyeLookOut"),
    ("eyeBlink", "eyeWide"),
    ("eyeSquint", "eyeWide"),
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("mouthSmile", "mouthFrown"),
    ("browDown", "browOuterUp"),
    ("mouthPucker", "mouthStretch"),
)
CAPPED = {"mouthClose": "jawOpen"}
"""Units that never exceed another: lips close over an open jaw, or they pass through each other."""
GAZE_ROWS = (
    ("eyeLookOutLeft", "eyeLookInRight", "eyeLookInLeft", "eyeLookOutRight"),
    ("eyeLookUpLeft", "eyeLookUpRight", "eyeLookDownLeft", "eyeLookDownRight"),
)
"""Left eye towards, right eye towards, left eye away, right eye away: towards the subject's left,
and up."""


@dataclass(frozen=True)
class Prior:
    """Prior of E units, in units of the data term.

    sparsity (E,) pull towards 0; stiffness (E,) share of the unit's curvature that weighs its
    second difference in time; coupling (E, E) curvature; opposition (E, E) share of the
    geometric mean of two units' curvatures; caps (E,) the unit that each unit stays below, or -1.
    """

    sparsity: Float
    stiffness: Float
    coupling: Float
    opposition: Float
    caps: NDArray[np.int64]

    def added_curvature(self, hessian: NDArray[np.floating[Any]]) -> Float:
        """What the prior adds to the data's curvature (T, E, E), (E, E)."""
        own = np.sqrt(np.median(np.diagonal(hessian, axis1=1, axis2=2), axis=0))
        return np.asarray(self.coupling + self.opposition * np.outer(own, own), np.float32)


def expression_prior(
    names: tuple[str, ...], *, fps: float = 25.0, static_factor: float = 1.0
) -> Prior:
    """Prior of the units with these names, for frames at this rate.

    `static_factor` multiplies the pull to 0 of units that look like the shape of a face at rest.
    """
    sparsity = np.full(len(names), SPARSITY, np.float32)
    sparsity[_named(names, STATIC_PARTS)] *= static_factor
    sparsity[_named(names, FREE_PARTS)] = FREE_SPARSITY
    stiffness = np.array([_stiffness(name.lower()) for name in names], np.float32)
    stiffness *= (fps / 25.0) ** 4
    place = {name: i for i, name in enumerate(names)}
    coupling = np.zeros((len(names), len(names)), np.float32)
    for row in GAZE_ROWS:
        if all(name in place for name in row):
            _couple(coupling, [place[name] for name in row], (1, -1, -1, 1), EYES_TOGETHER)
    for left, right in _sides(names):
        _couple(coupling, [place[left], place[right]], (1, -1), SIDES_ALIKE)
    opposition = np.zeros_like(coupling)
    for one, other in OPPOSED:
        for side in ("", "Left", "Right"):
            if one + side in place and other + side in place:
                i, j = place[one + side], place[other + side]
                opposition[i, j] = opposition[j, i] = OPPOSITION
    caps = np.full(len(names), -1, np.int64)
    for low, high in CAPPED.items():
        if low in place and high in place:
            caps[place[low]] = place[high]
    return Prior(sparsity, stiffness, coupling, opposition, caps)


def _stiffness(name: str) -> float:
    return next((share for part, share in STIFFNESS.items() if part in name), OTHER_STIFFNESS)


def _couple(coupling: Float, places: list[int], signs: tuple[int, ...], strength: float) -> None:
    row = np.array(signs, np.float32)
    coupling[np.ix_(places, places)] += strength * np.outer(row, row)


def _sides(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of the same unit on the left and on the right, gaze and sideways motion left out."""
    for name in names:
        twin = name.removesuffix("Left") + "Right"
        sideways = "look" in name.lower() or name in ("jawLeft", "mouthLeft")
        if name.endswith("Left") and twin in names and not sideways:
            yield name, twin


def _named(names: tuple[str, ...], parts: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.array([any(part in name.lower() for part in parts) for name in names], bool)
