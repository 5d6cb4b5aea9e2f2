"""Points of the iBUG annotation (300-W, 68 points) that have a counterpart in MediaPipe's mesh."""

from __future__ import annotations

IBUG_TO_MEDIAPIPE = {
    27: 168, 28: 197, 30: 4, 31: 75, 33: 2, 35: 305,
    36: 33, 37: 160, 38: 158, 39: 133, 40: 153, 41: 144,
    42: 362, 43: 385, 44: 387, 45: 263, 46: 373, 47: 380,
    48: 61, 51: 0, 54: 291, 57: 17, 60: 78, 62: 13, 64: 308, 66: 14,
}  # fmt: skip
"""iBUG's index, from 0, -> MediaPipe's. Left out: the outline, which both put on the silhouette
instead of on fixed skin, and points of brows and lips that the two put at different shares of the
way from corner to corner."""
