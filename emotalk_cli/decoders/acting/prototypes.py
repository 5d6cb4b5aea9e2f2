"""What each emotion does to a face: the action units of EMFACS written in ARKit's units.

Sources: P. Ekman & W. Friesen, EMFACS-7 (1983), and Ekman, Friesen & Hager, Facial Action Coding
System: Investigator's Guide (2002), for which action units make an emotion; S. Du,
Y. Tao & A. Martinez, "Compound facial expressions of emotion", PNAS 2014, for which of them most
people use; D. Matsumoto & P. Ekman, "The relationship among expressions, labels, and descriptions
of contempt", JPSP 2004, for the one-sided mouth. The strengths were set by looking at renders of
the default head and of portraits, to be read at once and yet to pass for a talking person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.decoders.direction.emotions import EMOTIONS

Float = NDArray[np.float32]

ACTION_UNITS: Mapping[str, Mapping[str, float]] = {
    "1": {"browInnerUp": 1.0},
    "2": {"browOuterUp": 1.0},
    "4": {"browDown": 1.0},
    "5": {"eyeWide": 1.0},
    "6": {"cheekSquint": 1.0, "eyeSquint": 0.45},
    "7": {"eyeSquint": 1.0},
    "9": {"noseSneer": 1.0, "browDown": 0.25},
    "10": {"mouthUpperUp": 1.0, "noseSneer": 0.3},
    "11": {"noseSneer": 0.4, "cheekSquint": 0.3},
    "12": {"mouthSmile": 1.0},
    "14": {"mouthDimple": 1.0},
    "15": {"mouthFrown": 1.0},
    "16": {"mouthLowerDown": 1.0},
    "17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.3},
    "20": {"mouthStretch": 1.0},
    "22": {"mouthFunnel": 1.0},
    "23": {"mouthPress": 1.0, "mouthShrugUpper": 0.15},
    "24": {"mouthPress": 1.0},
    "25": {"mouthLowerDown": 0.4, "mouthUpperUp": 0.6},
    "26": {"jawOpen": 1.0},
    "29": {"jawForward": 1.0},
    "43": {"eyeBlink": 1.0},
}
"""FACS action unit -> ARKit units and their share; a name without side is both Left and Right."""

EMOTION_ACTIONS: Mapping[str, Mapping[str, float]] = {
    "angry": {
        "4": 1.0,
        "5": 0.3,
        "7": 0.5,
        "9": 0.7,
        "10": 0.4,
        "15": 0.55,
        "16": 0.35,
        "17": 0.55,
        "20": 0.35,
        "22": 0.1,
        "24": 0.15,
        "29": 0.2,
    },
    "contempt": {
        "12R": 0.8,
        "14R": 1.0,
        "14L": 0.1,
        "10R": 0.25,
        "7": 0.25,
        "43": 0.12,
        "2L": 0.45,
        "4": 0.15,
    },
    "disgusted": {
        "4": 0.6,
        "6": 0.75,
        "7": 0.4,
        "9": 0.8,
        "10": 1.0,
        "15": 0.7,
        "16": 0.45,
        "17": 0.45,
        "26": 0.06,
    },
    "fear": {
        "1": 1.0,
        "2": 0.4,
        "4": 0.4,
        "5": 1.0,
        "15": 0.3,
        "16": 0.15,
        "20": 0.75,
        "25": 0.6,
        "26": 0.16,
    },
    "happy": {"1": 0.1, "2": 0.1, "6": 1.0, "12": 1.0, "14": 0.3, "25": 0.8, "26": 0.06},
    "neutral": {},
    "sad": {
        "1": 1.0,
        "4": 0.45,
        "7": 0.2,
        "11": 0.25,
        "15": 1.0,
        "17": 0.4,
        "20": 0.4,
        "24": 0.15,
        "43": 0.14,
    },
    "surprised": {"1": 1.0, "2": 1.0, "5": 1.0, "22": 0.22, "26": 0.4},
}
"""Emotion at full strength -> strength 0..1 of its action units; 12R is the subject's right.

The default head's brows, lids and upper lip move by 5, 3.4 and 6 mm at 1: hence the many 1."""


def prototypes(unit_names: Sequence[str]) -> Float:
    """The eight emotions' (8, E) activity of each unit in 0..1; unknown units stay 0."""
    result = np.zeros((len(EMOTIONS), len(unit_names)), np.float32)
    place = {name: n for n, name in enumerate(unit_names)}
    for row, emotion in enumerate(EMOTIONS):
        for action, strength in EMOTION_ACTIONS[emotion].items():
            for unit, share in _units_of(action).items():
                if unit in place:
                    result[row, place[unit]] += strength * share
    return np.clip(result, 0, 1)


def _units_of(action: str) -> dict[str, float]:
    """The sided ARKit units of an action unit such as 12 (both sides) or 12R."""
    sides = {"L": ("Left",), "R": ("Right",)}.get(action[-1], ("Left", "Right"))
    units: dict[str, float] = {}
    for unit, share in ACTION_UNITS[action.rstrip("LR")].items():
        for side in sides if unit in SIDED else ("",):
            units[unit + side] = share
    return units


SIDED = frozenset(
    (
        "browDown", "browOuterUp", "eyeBlink", "eyeWide", "eyeSquint", "cheekSquint", "noseSneer",
        "mouthUpperUp", "mouthSmile", "mouthDimple", "mouthFrown", "mouthLowerDown",
        "mouthStretch", "mouthPress",
    )
)  # fmt: skip
"""Units that ARKit names once per side."""
