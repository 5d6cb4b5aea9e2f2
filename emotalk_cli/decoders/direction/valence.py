"""Valence and arousal: a point of the circumplex as a mix of the eight emotions.

Coordinates: J. Russell & A. Mehrabian, "Evidence for a three-factor theory of emotions", Journal
of Research in Personality 11, 1977 (pleasure and arousal of the words angry, fearful, disgusted,
sad, happy, surprised). Their order on the circle is that of J. Russell, "A circumplex model of
affect", JPSP 1980, who has sleepy straight below and relaxed to the right of it: there the eight
have no name, and the face is at rest. Contempt has no place of its own here: name it.

Two numbers cannot tell anger from fear (dominance does); between the two lies a mix of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from emotalk_cli.errors import EmotalkError

PLEASURE_AROUSAL: Mapping[str, tuple[float, float]] = {
    "angry": (-0.51, 0.59),
    "disgusted": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "surprised": (0.40, 0.67),
}
RESTING_DEG = (272.0, 318.0)
"""Sleepy and relaxed on Russell's circle."""
RESTING_RADIUS = 1.0


def valence_arousal_shares(valence: float, arousal: float) -> dict[str, float]:
    """Valence and arousal in -1..1 -> share 0..1 of each emotion that takes part.

    The shares sum to at most 1; the rest is neutral. At an emotion's own coordinates and beyond
    them it is alone and full; between two emotions on the circle their shares change linearly
    with the angle; towards the centre both fade. Raises EmotalkError out of range.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not -1.0 <= value <= 1.0:
            raise EmotalkError(
                f"The {name} {value:g} is outside -1 to 1.",
                "Write va:VALENCE,AROUSAL such as va:0.6,0.4; 0,0 is neutral.",
            )
    places = sorted(
        [
            *((_angle(*point), math.hypot(*point), name) for name, point in _points()),
            *((angle, RESTING_RADIUS, "") for angle in RESTING_DEG),
        ]
    )
    angle, radius = _angle(valence, arousal), math.hypot(valence, arousal)
    following = next((n for n, place in enumerate(places) if place[0] > angle), 0)
    before, after = places[following - 1], places[following]
    part = (angle - before[0]) % 360 / ((after[0] - before[0]) % 360)
    full = (1 - part) * before[1] + part * after[1]
    strength = min(radius / full, 1.0)
    shares: dict[str, float] = {}
    for (_, _, name), share in ((before, 1 - part), (after, part)):
        if name and share * strength > 0:
            shares[name] = share * strength
    return shares


def _points() -> list[tuple[str, tuple[float, float]]]:
    return list(PLEASURE_AROUSAL.items())


def _angle(valence: float, arousal: float) -> float:
    """Degrees from pleasure towards arousal, 0 to 360."""
    return math.degrees(math.atan2(arousal, valence)) % 360
