"""What an expression does to one eye: how its lids and its iris move in the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.eye_opening import EyePoints
from emotalk_cli.render.registration import Registered

Float = NDArray[np.float32]

WIDE_SHARE, MAX_WIDER = 0.45, 0.13
"""Eyes open wider than in the photo by less than the units say, and not without end."""

FURTHEST_UP = 0.95
"""Over the iris' radius; lids go with the gaze less far than in life, and would hide the iris."""


class EyeMotion:
    """What an expression does to one eye, as linear functions of the units (E, 478, 3) m."""

    def __init__(
        self, eye: EyePoints, neutral: Float, units: Float, still: Float, registered: Registered
    ) -> None:
        top, bottom = list(eye.upper[1:-1]), list(eye.lower[1:-1])
        self._gap = float((neutral[top, 1] - neutral[bottom, 1]).mean())
        self._gap_units = (units[:, top, 1] - units[:, bottom, 1]).mean(axis=1)
        self._low_units = units[:, bottom, 1].mean(axis=1)
        self._iris_units = units[:, eye.iris]
        self._still = still
        self._gap_still = max(self._gap + float(still @ self._gap_units), 0.35 * self._gap)
        placed = registered.rotation @ neutral[eye.iris] + registered.translation
        self.px_per_m = registered.camera.focal_px / float(-placed[2])
        self._rotation = registered.rotation

    def openness(self, expression: Float) -> float:
        """The lids' distance over that in the photo."""
        gap = self._gap + float(expression @ self._gap_units)
        ratio = max(0.0, gap / self._gap_still)
        return ratio if ratio < 1.0 else 1.0 + min(WIDE_SHARE * (ratio - 1.0), MAX_WIDER)

    def low_px(self, expression: Float) -> float:
        """How far the lower lid rises, px."""
        return float((expression - self._still) @ self._low_units) * self.px_per_m

    def iris_px(self, expression: Float) -> Float:
        """How far the iris moves (2,) px, y down."""
        moved = self._rotation @ ((expression - self._still) @ self._iris_units)
        return np.asarray(moved[:2] * [self.px_per_m, -self.px_per_m], np.float32)


def within_lids(shift: Float, up: Float, radius: float) -> Float:
    """An iris' shift (2,) px, eased along the eye's axis `up` (2,) so that lids leave some seen."""
    most = FURTHEST_UP * radius
    rise = float(shift @ up)
    return np.asarray(shift + (most * np.tanh(rise / most) - rise) * up, np.float32)
