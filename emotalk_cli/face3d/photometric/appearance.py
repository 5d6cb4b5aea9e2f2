"""The colours of a face in pictures: an albedo per vertex under light of nine harmonics.

Lambertian skin under distant light is a quadratic polynomial of the normal (Ramamoorthi and
Hanrahan, "An efficient representation for irradiance environment maps", SIGGRAPH 2001). Values are
the picture's own sRGB over 255, as is usual in fitting. Albedo and light explain one another's
tint: the albedo's mean is the face's mean colour, and the light is about 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Double = NDArray[np.float64]

HARMONICS = 9
ROUNDS = 3
LIGHT_RIDGE = 0.003
"""Pull of the directed light to none, as a share of the evidence."""
OUTLIER = 0.1
"""Error of a colour at which an observation has lost three quarters of its weight."""
SMOOTH_FEW, SMOOTH_MANY, MANY_PICTURES = 2, 0, 6
"""Times that the albedo is smoothed over the mesh: more where few pictures tell it from shape."""
MIN_SHADE = 0.1


@dataclass(frozen=True)
class Seen:
    """What one picture shows of the vertices: colours (V, 3) in 0..1, camera-space normals (V, 3)
    and how well (V,) each is seen, 0 for hidden.
    """

    colours: Double
    normals: Double
    weights: Double


@dataclass(frozen=True)
class Appearance:
    """albedo (V, 3) in 0..1 and light (9, 3), the harmonics' coefficients in the camera's space."""

    albedo: Double
    light: Double

    def colours(self, normals: Double) -> Double:
        """Colours (V, 3) of vertices with unit normals (V, 3) in the camera's space."""
        return np.asarray(self.albedo * (harmonics(normals) @ self.light))


def harmonics(normals: Double) -> Double:
    """The nine polynomials (..., 9) of unit normals (..., 3): constant, linear, quadratic."""
    x, y, z = (normals[..., k] for k in range(3))
    one = x * 0.0 + 1.0
    rows = [one, x, y, z, x * y, x * z, y * z, x * x - y * y, 3.0 * z * z - 1.0]
    return np.asarray(np.stack(rows, axis=-1))


def fit_appearance(pictures: Sequence[Seen], neighbours: Double) -> Appearance:
    """Albedo and light that explain the pictures, robustly.

    The light explains what it can on skin of one colour, each vertex's albedo the rest.

    neighbours: a sparse matrix (V, V) whose product with values (V, C) is the mean of the vertices
    around each.
    """
    weights = np.stack([p.weights for p in pictures])
    colours = np.stack([p.colours for p in pictures])
    basis = harmonics(np.stack([p.normals for p in pictures]))
    mean = (colours * weights[..., None]).sum(axis=(0, 1)) / max(weights.sum(), 1e-9)
    albedo = np.tile(mean, (colours.shape[1], 1))
    light = np.zeros((HARMONICS, 3))
    light[0] = 1.0
    for _ in range(ROUNDS):
        light = _light(basis, albedo, colours, _trust(albedo * (basis @ light), colours, weights))
    # Brows and lips are no outliers of the albedo: what differs from picture to picture is.
    trust = weights
    smooth = SMOOTH_MANY if len(pictures) >= MANY_PICTURES else SMOOTH_FEW
    for _ in range(ROUNDS if len(pictures) >= MANY_PICTURES else 1):
        albedo = _albedo(basis @ light, colours, trust, mean, neighbours, smooth)
        trust = _trust(albedo * (basis @ light), colours, weights)
    return Appearance(albedo, light)


def _trust(drawn: Double, colours: Double, weights: Double) -> Double:
    """Weights (T, V) of observations, after Geman and McClure."""
    error = np.abs(drawn - colours).mean(axis=-1)
    return np.asarray(weights / (1.0 + (error / OUTLIER) ** 2) ** 2)


def _light(basis: Double, albedo: Double, colours: Double, trust: Double) -> Double:
    """Coefficients (9, 3) by ridge regression, one colour at a time."""
    light = np.empty((HARMONICS, 3))
    ridge = LIGHT_RIDGE * np.diag([0.0] + [1.0] * (HARMONICS - 1))
    for k in range(3):
        rows = basis * albedo[:, k, None]
        heavy = rows * trust[..., None]
        matrix = np.einsum("tva,tvb->ab", heavy, rows)
        scale = max(float(matrix[0, 0]), 1e-9)
        light[:, k] = np.linalg.solve(
            matrix + scale * ridge, np.einsum("tva,tv->a", heavy, colours[..., k])
        )
    return light


def _albedo(
    shade: Double, colours: Double, trust: Double, mean: Double, neighbours: Double, smooth: int
) -> Double:
    """Least squares for each vertex (V, 3); what is never seen takes its surroundings' colour."""
    usable = trust[..., None] * (shade > MIN_SHADE)
    above = (usable * shade * colours).sum(axis=0)
    below = (usable * shade * shade).sum(axis=0)
    for _ in range(smooth):
        above, below = neighbours @ above, neighbours @ below
    prior = 1e-3 * max(float(below.mean()), 1e-9)
    return np.asarray(np.clip((above + prior * mean) / (below + prior), 0.0, 1.0))
