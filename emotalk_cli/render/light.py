"""Skin light: the ratio of what turned skin reflects to what it reflected in the photo.

Ratio images after Liu, Shan and Zhang, "Expressive expression mapping with ratio images", SIGGRAPH
2001, with first-order spherical harmonics as the light.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.projection import f32

Float = NDArray[np.float32]

LOW, HIGH = 0.72, 1.25
"""Bounds of the ratio."""
STRENGTH = 0.8
MIN_AMBIENT_SHARE = 0.35
"""Ambient light over all light, at least: keeps estimates of hard light tame."""


def estimate_light(colours: Float, normals: Float) -> Float:
    """The light (4,) on skin of colours (N, 3) and normals (N, 3): ambient, then direction.

    Fits luminance = ambient + direction . normal, robustly; scaled so that ambient is 1.
    """
    luminance = colours @ f32([0.299, 0.587, 0.114])
    system = np.concatenate([np.ones((len(normals), 1)), normals], axis=1)
    weight = np.ones(len(normals))
    prior = np.diag([0.0, 1.0, 1.0, 1.0]) * 0.01 * len(normals)
    light = np.zeros(4)
    for _ in range(5):
        weighted = system * weight[:, None]
        light = np.linalg.solve(weighted.T @ system + prior, weighted.T @ luminance)
        error = np.abs(system @ light - luminance)
        weight = 1.0 / np.maximum(error, np.median(error) + 1e-3)
    ambient = max(float(light[0]), 1e-3)
    strength = float(np.linalg.norm(light[1:])) / ambient
    limit = (1.0 - MIN_AMBIENT_SHARE) / MIN_AMBIENT_SHARE
    scale = min(1.0, limit / max(strength, 1e-6)) / ambient
    return np.asarray([1.0, *(light[1:] * scale)], np.float32)


def light_ratio(light: Float, before: Float, after: Float) -> Float:
    """How much brighter skin is with normals `after` (N, 3) than with `before` (N, 3)."""
    floor = 0.15
    old = np.maximum(light[0] + before @ light[1:], floor)
    new = np.maximum(light[0] + after @ light[1:], floor)
    return f32(np.clip(1.0 + STRENGTH * (new / old - 1.0), LOW, HIGH))
