"""Samples many people from MakeHuman's shapes and reduces their heads to a linear basis."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .macros import Macros
from .source import read_target

FOLDERS = ("head", "cheek", "chin", "nose", "mouth", "eyes", "eyebrows", "ears", "forehead", "neck")
OPPOSITES = {
    "decr": "incr",
    "down": "up",
    "in": "out",
    "backward": "forward",
    "concave": "convex",
    "compress": "uncompress",
}
LEFT_OUT = ("head-trans", "head-age", "neck-trans", "measure-neck-height", "neck-scale-vert")
"""Beginnings of target names that move the head as a whole or repeat a macro."""
SLIDER_SIGMA = {"head": 0.13, "neck": 0.2, "cheek": 0.2, "chin": 0.22}
"""Spread of a two-sided slider, whose ends are at +-1, by folder. The head's are set so that the
facial index (height over width) spreads by 6 %, as it does among people."""
OTHER_SIGMA = 0.27
SLIDER_MEANS = {"head-scale-vert": -0.3, "eyebrows-trans": -0.42}
"""Sliders whose mean among people is not 0. MakeHuman's faces are long for their pupils' distance
(nasion to menton 1.97 of it, people's 1.86: Farkas, "Anthropometry of the Head and Face", 1994)
and their brows high."""
ONE_SIDED_SHARE = 0.7
"""Spread of a slider that has one end only (head-oval, ear-shape-pointed), over that of others."""
ASYMMETRY = 0.25
"""Spread of the difference between the two sides, as a share of the slider's."""
CHILD_SHARE = 0.12
"""Share of the sampled people under about 18 years."""


@dataclass(frozen=True)
class Slider:
    """One local shape: offsets (N, 3) at +1 and -1 of its left, right or middle target, and the
    mean and spread of its value among people.
    """

    positive: list[NDArray[np.float32]]
    negative: list[NDArray[np.float32]]
    mean: float
    sigma: float


def read_sliders(data: Path, vertex_ids: NDArray[np.int64]) -> list[Slider]:
    """Every local shape of the head's folders; left and right targets are one slider."""
    sliders: dict[tuple[str, str], dict[str, dict[str, NDArray[np.float32]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for folder in FOLDERS:
        for path in sorted((data / "mpfb2/targets" / folder).glob("*.target.gz")):
            name = path.name.removesuffix(".target.gz")
            if name.startswith(LEFT_OUT):
                continue
            side = name[0] if name[:2] in ("l-", "r-") else ""
            stem, _, end = name.removeprefix(side + "-" if side else "").rpartition("-")
            offsets = read_target(path)[vertex_ids].astype(np.float32)
            if end in OPPOSITES:
                sliders[folder, f"{stem}-{OPPOSITES[end]}"][side]["negative"] = offsets
            elif end in OPPOSITES.values():
                sliders[folder, f"{stem}-{end}"][side]["positive"] = offsets
            else:
                sliders[folder, name.removeprefix(f"{side}-")][side]["positive"] = offsets
    return [
        Slider(
            [ends["positive"] for ends in sides.values()],
            [ends["negative"] for ends in sides.values() if "negative" in ends],
            next((m for stem, m in SLIDER_MEANS.items() if name.startswith(stem)), 0.0),
            SLIDER_SIGMA.get(folder, OTHER_SIGMA),
        )
        for (folder, name), sides in sliders.items()
    ]


def sample_people(
    base: NDArray[np.float64], macros: Macros, sliders: list[Slider], count: int, seed: int
) -> NDArray[np.float32]:
    """(count, N, 3) heads of random people, in the base mesh's space."""
    rng = np.random.default_rng(seed)
    people = np.empty((count, *base.shape), np.float32)
    for k in range(count):
        child = rng.random() < CHILD_SHARE
        people[k] = base + macros.offsets(
            sex=rng.beta(0.5, 0.5),
            age=rng.uniform(0.35, 0.6) if child else rng.uniform(0.6, 1.0),
            muscle=float(np.clip(rng.normal(0.5, 0.15), 0, 1)),
            weight=float(np.clip(rng.normal(0.5, 0.18), 0, 1)),
            ancestry=rng.dirichlet(np.full(3, 0.5)),
        )
        for slider in sliders:
            sigma = slider.sigma if slider.negative else ONE_SIDED_SHARE * slider.sigma
            shared = rng.normal(slider.mean, sigma)
            for side in range(len(slider.positive)):
                value = shared + rng.normal(0, ASYMMETRY * sigma) * (len(slider.positive) > 1)
                value = float(np.clip(value, -1, 1)) if slider.negative else min(abs(value), 1.0)
                ends = slider.positive if value >= 0 else slider.negative
                people[k] += np.float32(abs(value)) * ends[side]
    return people


def align(
    people: NDArray[np.float32], face: NDArray[np.int64], rounds: int = 3
) -> NDArray[np.float32]:
    """Turn, shift and scale each head so that its face lies best on the mean face.

    Size is taken out on purpose: in one picture a larger head farther away looks the same.
    face: vertex indices that the fit looks at. The mean keeps its own size and place.
    """
    aligned = people.copy()
    for _ in range(rounds):
        mean = aligned[:, face].mean(axis=0, dtype=np.float64)
        centre = mean.mean(axis=0)
        target = mean - centre
        for k in range(len(aligned)):
            here = aligned[k, face].astype(np.float64)
            middle = here.mean(axis=0)
            u, s, vt = np.linalg.svd((here - middle).T @ target)
            flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
            scale = (s * np.diag(flip)).sum() / ((here - middle) ** 2).sum()
            aligned[k] = (aligned[k] - middle) @ (scale * u @ flip @ vt) + centre
        growth = np.sqrt((target**2).sum() / ((aligned[:, face].mean(0) - centre) ** 2).sum())
        aligned = ((aligned - centre) * growth + centre).astype(np.float32)
    return aligned


def principal_shapes(
    people: NDArray[np.float32], weights: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean (N, 3), basis (count, N, 3) at one standard deviation, and the share of weighted
    variance that each component explains (count,).

    weights: (N,) importance of each vertex. Components come from the weighted covariance; the
    basis is the regression of all vertices on their scores, so weightless vertices follow too.
    """
    mean = people.mean(axis=0, dtype=np.float64)
    centred = (people - mean).reshape(len(people), -1)
    root = np.repeat(np.sqrt(weights), 3)
    weighted = centred * root
    gram = weighted @ weighted.T
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(values)[::-1][:count]
    scores = vectors[:, order] * np.sqrt(len(people))
    basis = (scores.T @ centred / len(people)).reshape(count, *mean.shape)
    return mean, basis, values[order] / values.sum()
