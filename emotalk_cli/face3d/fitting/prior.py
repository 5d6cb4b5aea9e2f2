"""What is known of expressions before looking: sparse, smooth in time, eyes together, sides alike.

Units are told by what their names say (ARKit's, or any that call their parts alike); a model whose
names say nothing gets the plain prior.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.fitting.kernels import solve_boxes

Float = NDArray[np.float32]

TOLERANCE = 2e-4
"""Change of the most moved unit at which the box-bound solve stops."""

SPARSITY = 2.6
"""Pull of a unit at 0 back to 0, in units of the data term, for a unit of usual strength."""
USUAL_STRENGTH = 5.0
"""Root of the curvature that the landmarks give such a unit."""
PULL_GROWTH = 0.75
"""What is left of noise pulls at a unit the more, the stronger it moves the landmarks; so does the
prior, to this power of its strength."""
FREE_SPARSITY = 0.3
CLEAR = 0.1
"""Activity at which the pull has halved: what is clearly there is measured as it is."""
FREE_PARTS = ("look",)
"""Units that people use all the time: gaze is hardly ever exactly straight."""
RARE_SPARSITY = 6.0
RARE_PARTS = ("mouthclose", "eyewide", "jawforward", "jawleft", "jawright", "cheekpuff", "tongue")
"""Units that others can imitate in the landmarks, and that people use less."""
STATIC_PARTS = (
    "brow", "frown", "squint", "wide", "sneer", "stretch", "shrug", "press", "roll", "dimple",
)  # fmt: skip
"""Units that look like the shape of a face at rest."""
STIFFNESS = {
    "blink": 0.06, "jaw": 0.4, "mouth": 0.4, "lip": 0.4, "tongue": 0.3, "look": 0.3,
    "component": 0.4,
}  # fmt: skip
OTHER_STIFFNESS = 1.0
"""Weight of the second difference in time, as a share of what the landmarks say of the unit, at
25 frames a second, by the first of these parts in its name: .06 halves motion of 8.4 Hz (lids),
.4 of 5.1 Hz (articulation), 1 of 4 Hz."""
EYES_TOGETHER = 100.0
SIDES_ALIKE = 1.0
"""Curvature of the cost of different gaze of the two eyes, and of different sides of the face."""
SIGNED_PRECISION = 9.0
"""Curvature of a principal component's cost, about N(0, 1), whose units mean three sd at 1."""
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
    ("mouthPucker", "mouthDimple"),
    ("mouthShrugLower", "mouthLowerDown"),
    ("mouthShrugUpper", "mouthUpperUp"),
)
REST_QUANTILES = {"blink": 0.5, "look": 0.5}
OTHER_REST_QUANTILE = 0.1
"""A person's rest, as a quantile of all frames: eyes are half shut and wide open in turns and
mostly look at one thing, all other units come and go from none."""
RIDERS = {"mouthClose": "jawOpen"}
"""Units that only come together with as much of another: lips close over an open jaw, or they would
pass through each other."""
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
    geometric mean of two units' curvatures; riders (R, 2) units and
    the ones they never exceed;
    clear, the activity at which the pull has halved; rest (E,) the quantile over a person's frames
    at which each unit rests.
    """

    sparsity: Float
    stiffness: Float
    coupling: Float
    opposition: Float
    riders: tuple[tuple[int, int], ...]
    clear: float
    rest: Float

    def solve(
        self,
        hessian: NDArray[np.floating[Any]],
        target: NDArray[np.floating[Any]],
        expression: Float,
        sweeps: int,
        *,
        moving: bool = False,
        valid: NDArray[np.bool_] | None = None,
    ) -> Float:
        """Expression (T, E) in 0..1 at the minimum of the data's quadratic and this prior.

        The data say w' hessian w / 2 - target' w, (T, E, E) and (T, E); `expression` (T, E) is
        where it stands now; `moving` takes the frames as a sequence in time, of which those that
        are not `valid` (T,) are bridged.
        """
        known = np.ones(len(expression), bool) if valid is None else valid
        own = np.median(np.diagonal(hessian, axis1=1, axis2=2)[known], axis=0)
        root = np.sqrt(np.maximum(own, 0.0))
        curved = hessian + self.coupling + self.opposition * np.outer(root, root)
        # Reweighted l1 (Candes, Wakin and Boyd 2008): weak activity is pulled to 0, strong
        # activity is left alone.
        strength = (root / USUAL_STRENGTH) ** PULL_GROWTH
        pull = self.sparsity * strength * self.clear / (expression + self.clear) * known[:, None]
        target, values = target.copy(), expression.copy()
        for rider, carrier in self.riders:  # the carrier's own share and what it takes along
            curved[:, :, rider] += curved[:, :, carrier]
            curved[:, rider] += curved[:, carrier]
            target[:, rider] += target[:, carrier]
            pull[:, rider] += pull[:, carrier]
            values[:, carrier] -= values[:, rider]
        smoothness = self.stiffness * own if moving else np.zeros(len(own))
        single = (a.astype(np.float32) for a in (curved, target, pull, smoothness))
        solve_boxes(*single, values, sweeps, TOLERANCE)
        for rider, carrier in self.riders:
            values[:, carrier] = np.minimum(values[:, carrier] + values[:, rider], 1.0)
        return values

    def at_rest(self, expression: Float) -> Float:
        """What each unit (E,) shows at rest in frames (T, E) of one person."""
        order = np.sort(expression, axis=0)
        place = np.floor(self.rest * (len(order) - 1)).astype(int)
        return np.asarray(order[place, np.arange(order.shape[1])], np.float32)


def expression_prior(
    names: tuple[str, ...],
    *,
    fps: float = 25.0,
    sparse_factor: float = 1.0,
    static_factor: float = 1.0,
    clear: float = CLEAR,
) -> Prior:
    """Prior of the units with these names, for frames at this rate.

    `sparse_factor` multiplies the pull to 0 of all units, `static_factor` that of units that look
    like the shape of a face at rest; `clear` is the activity at which the pull has halved.
    """
    sparsity = np.full(len(names), sparse_factor * SPARSITY, np.float32)
    sparsity[_named(names, STATIC_PARTS)] *= static_factor
    sparsity[_named(names, RARE_PARTS)] *= RARE_SPARSITY / SPARSITY
    sparsity[_named(names, FREE_PARTS)] = sparse_factor * FREE_SPARSITY
    stiffness = np.array([_first(STIFFNESS, name, OTHER_STIFFNESS) for name in names], np.float32)
    stiffness *= (fps / 25.0) ** 4
    place = {name: i for i, name in enumerate(names)}
    coupling = np.zeros((len(names), len(names)), np.float32)
    for row in GAZE_ROWS:
        if all(name in place for name in row):
            _couple(coupling, [place[name] for name in row], (1, -1, -1, 1), EYES_TOGETHER)
    for left, right in _sides(names):
        _couple(coupling, [place[left], place[right]], (1, -1), SIDES_ALIKE)
    for plus, minus in _signed(names):
        _couple(coupling, [place[plus], place[minus]], (1, -1), SIGNED_PRECISION)
        sparsity[[place[plus], place[minus]]] = sparse_factor * FREE_SPARSITY
    opposition = np.zeros_like(coupling)
    for i, j in _opposed(place):
        opposition[i, j] = opposition[j, i] = OPPOSITION
    rest = [_first(REST_QUANTILES, name, OTHER_REST_QUANTILE) for name in names]
    riders = tuple((place[a], place[b]) for a, b in RIDERS.items() if a in place and b in place)
    return Prior(
        sparsity, stiffness, coupling, opposition, riders, clear, np.array(rest, np.float32)
    )


def _first(table: Mapping[str, float], name: str, otherwise: float) -> float:
    """Value of the first part that the unit's name holds."""
    return next((value for part, value in table.items() if part in name.lower()), otherwise)


def _couple(coupling: Float, places: list[int], signs: tuple[int, ...], strength: float) -> None:
    row = np.array(signs, np.float32)
    coupling[np.ix_(places, places)] += strength * np.outer(row, row)


def _opposed(place: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Columns of opposed units of one side, or of one side and of none."""
    sides = ("", "Left", "Right")
    for one, other in OPPOSED:
        for a, b in itertools.product(sides, sides):
            same = a == b or "" in (a, b)
            if same and one + a in place and other + b in place:
                yield place[one + a], place[other + b]


def _sides(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of the same unit on the left and on the right, gaze and sideways motion left out."""
    for name in names:
        twin = name.removesuffix("Left") + "Right"
        sideways = "look" in name.lower() or name in ("jawLeft", "mouthLeft")
        if name.endswith("Left") and twin in names and not sideways:
            yield name, twin


def _signed(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of units that are the two signs of one principal component."""
    for name in names:
        twin = name.removesuffix("Plus") + "Minus"
        if name.endswith("Plus") and twin in names:
            yield name, twin


def _named(names: tuple[str, ...], parts: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.array([any(part in name.lower() for part in parts) for name in names], bool)
