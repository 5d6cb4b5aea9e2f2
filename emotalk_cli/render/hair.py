"""Hair, hats and scarves that hang into the face: found once per photo, by colour and grain."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from emotalk_cli.render.backdrop import fill_smoothly
from emotalk_cli.render.body import smoothstep
from emotalk_cli.render.matte import read_at
from emotalk_cli.render.projection import f32
from emotalk_cli.render.registration import FACE_OVAL, Registered

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]

EYES_PX = 64.0
"""Distance of the irises in the picture that is worked on: lengths below are shares of it."""
AROUND = (1.2, 1.2, 1.8)
"""How much of the picture is looked at: beside, above and below the face."""
BARE_SKIN = (
    6, 197, 195, 5, 4, 45, 275, 220, 440, 198, 420, 131, 360, 126, 355, 100, 329, 101, 330, 36, 266,
    203, 423, 118, 347, 119, 348, 151, 9, 8,
)  # fmt: skip
"""MediaPipe's landmarks on the nose and beside it, which hair hardly covers."""
SPOT_SHARE = 0.05
FEATURES_SHARE, GRAIN_SHARE, GRAIN_BLUR_SHARE = 0.015, 0.06, 0.05
"""Blur of the colours; what is finer than the second counts as grain; blur of its strength."""
GRAIN_WEIGHT = 12.0
"""Grain's natural logarithm beside levels of lightness."""
SKIN_FLOOR = f32([6.0, 2.5, 2.5, 3.0])
"""Least spread of skin's lightness, two colours and grain."""
NO_SKIN = 2.5
"""Spreads from the skin's median from which what is above the face is taken to be hair."""
SKIN_VARIANCE, HAIR_VARIANCE = f32([400, 40, 40, 40]), f32([20, 5, 5, 4])
"""Added to the variances of both: skin goes on into shade, hair is seen wherever it is."""
SKIN_KINDS, HAIR_KINDS, KIND_STEPS, SAMPLES = 2, 4, 20, 1500
SUNLIT, GREY = (-1.0, 0.5, 1.0), 128.0
"""What is not darker, not grainier and of no other hue than skin by these spreads may be bald."""
NO_COLOUR = 1.0
"""Levels of colour below which a photo is grey and has no hue."""
DARKER, GLOSS_DOUBT = 1.0, 4.0
"""Beside hair darker than the skin by so many spreads, what is brighter than the skin shines: odds
against hair for each spread."""
LEAST_SEEDS, LEAST_SHARE = 50, 0.25
"""Of what is above and beside the face, so much must look unlike skin."""
OUTSIDE = 1.15
"""Growth of the face's outline beyond which all is hair, down to the height of the nose."""
MIDDLE_DOUBT, SIDE_TRUST = 5.0, 1.2
"""Odds (natural logarithms) against hair in the middle of the face, and for it at its outline."""
BROWS_AND_EYES = (
    (70, 63, 105, 66, 107, 55, 193, 245, 233, 231, 229, 226, 156),
    (300, 293, 334, 296, 336, 285, 417, 465, 453, 451, 449, 446, 383),
)
FRONT_M, SIDE_M, FIT_RIDGE = 0.015, 0.08, 1e-3
"""Only what lies so far before the ears is smoothed; scale of positions and damping of the fit."""
GAP_SHARE, THIN_SHARE, SOFT_SHARE = 0.3, 0.06, 0.07
"""Between strands this near beside each other all is hair; thinner ones are left to the skin; the
border is so soft."""


def hair_over_face(photo: NDArray[np.uint8], matte: Float, landmarks: Float) -> Float:
    """How much of each pixel of a photo (H, W, 3) is what hangs from the head, (H, W) in 0..1.

    Within the face's outline and around it; brows, lashes and moles are none. Beards are: the
    caller knows which part of the face it asks about. matte: (H, W) in 0..1. landmarks: (478, 2)
    px. Two Gaussian mixtures, of the bare skin around the nose and of what is above the face.
    """
    height, width = photo.shape[:2]
    eyes_px = float(np.linalg.norm(landmarks[473, :2] - landmarks[468, :2]))
    scale = min(1.0, EYES_PX / max(eyes_px, 1.0))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    points = landmarks[:, :2] * f32([size[0] / width, size[1] / height])
    eyes_px *= scale
    x0, y0, x1, y1 = _box(points, eyes_px, size)
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)[y0:y1, x0:x1]
    person = cv2.resize(matte, size, interpolation=cv2.INTER_AREA)[y0:y1, x0:x1]
    found = np.zeros((size[1], size[0]), np.float32)
    found[y0:y1, x0:x1] = _hair(
        np.ascontiguousarray(small), person, f32(points - f32([x0, y0])), eyes_px
    )
    return f32(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR))


def free_of_hair(hair: Float, registered: Registered, nose_y_m: float, lips_y_m: float) -> Float:
    """How much (V,) each vertex may move under `hair` (H, W) in 0..1.

    What hangs over brows and temples stays when the skin below it moves. From the nose's base down
    to the lips it is let go: beards move.
    """
    high = smoothstep(lips_y_m, nose_y_m, registered.vertices[:, 1])
    return f32(1.0 - read_at(hair, registered.photo_xy) * high)


def calm_under_hair(registered: Registered, hair: Float) -> Registered:
    """The same with smooth depth under `hair` (H, W) in 0..1, on either side of the face.

    Hair hangs before eye sockets and cheekbones: it must not wave over them as the head turns. The
    points move along their lines of sight, so the photo looks the same.
    """
    r = registered
    share = read_at(hair, r.photo_xy) * smoothstep(FRONT_M, 2.0 * FRONT_M, r.vertices[:, 2])
    placed = r.vertices @ r.rotation.T + r.translation
    depth = placed[:, 2].copy()
    for side in (-1.0, 1.0):
        here = (side * r.vertices[:, 0] > 0.0) & (share > 0.0)
        if here.sum() < LEAST_SEEDS:
            continue
        x, y = r.vertices[here, :2].T.astype(np.float64)
        x, y = (x - x.mean()) / SIDE_M, (y - y.mean()) / SIDE_M
        system = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
        weight = np.sqrt(share[here] + 1e-3)[:, None]
        ridge = FIT_RIDGE * here.sum() * np.eye(system.shape[1])
        ridge[0, 0] = 0.0
        weighted = weight * system
        away = depth[here] - depth[here].mean()
        fit = np.linalg.solve(weighted.T @ weighted + ridge, weighted.T @ (weight[:, 0] * away))
        depth[here] += share[here] * (system @ fit + depth[here].mean() - depth[here])
    placed *= (depth / placed[:, 2])[:, None]
    vertices = f32((placed - r.translation) @ r.rotation)
    return replace(r, vertices=vertices, depth=f32(-placed[:, 2]))


def _box(points: Float, eyes_px: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    beside, above, below = (share * eyes_px for share in AROUND)
    oval = points[list(FACE_OVAL)]
    low = np.floor(oval.min(axis=0) - f32([beside, above])).astype(int)
    high = np.ceil(oval.max(axis=0) + f32([beside, below])).astype(int)
    return max(0, low[0]), max(0, low[1]), min(size[0], high[0]), min(size[1], high[1])


def _hair(image: NDArray[np.uint8], person: Float, points: Float, eyes_px: float) -> Float:
    """The same for a small picture (h, w, 3)."""
    shape = image.shape[:2]
    features = _features(image, eyes_px)
    oval = points[list(FACE_OVAL)]
    middle = oval.mean(axis=0)
    inside, around = _filled(shape, oval), _filled(shape, (oval - middle) * OUTSIDE + middle)
    outside = (person > 0.9) & ~around & _above_nose(shape, points)
    skin = features[_spots(shape, points, eyes_px)]
    usual = np.median(skin, axis=0)
    spread = 1.48 * np.median(np.abs(skin - usual), axis=0) + SKIN_FLOOR
    seeds = outside & ~_maybe_skin((features - usual) / spread, usual, spread)
    if seeds.sum() < max(LEAST_SEEDS, LEAST_SHARE * outside.sum()):
        return np.zeros(shape, np.float32)
    flat = features.reshape(-1, features.shape[-1])
    odds = _log_likelihood(flat, features[seeds], HAIR_KINDS, HAIR_VARIANCE)
    odds -= _log_likelihood(flat, skin, SKIN_KINDS, SKIN_VARIANCE)
    if np.median(features[seeds][:, 0]) < usual[0] - DARKER * spread[0]:
        brighter = (features[..., 0] - usual[0]) / spread[0]
        odds -= GLOSS_DOUBT * np.maximum(brighter, 0.0).reshape(-1)
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    deep /= max(float(deep.max()), 1.0)
    odds = 0.5 * odds.reshape(shape) + SIDE_TRUST - (SIDE_TRUST + MIDDLE_DOUBT) * deep
    hair = f32((odds > 0.0) | outside) * f32(person > 0.5)
    return _joined(hair, outside, points, eyes_px)


def _features(image: NDArray[np.uint8], eyes_px: float) -> Float:
    """Colour and grain of each pixel: (h, w, 4)."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    fine = lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), GRAIN_SHARE * eyes_px)
    grain = cv2.GaussianBlur(np.abs(fine), (0, 0), GRAIN_BLUR_SHARE * eyes_px)
    colour = cv2.GaussianBlur(lab, (0, 0), FEATURES_SHARE * eyes_px)
    return f32(np.dstack([colour, GRAIN_WEIGHT * np.log(grain + 0.5)]))


def _maybe_skin(away: Float, usual: Float, spread: Float) -> Mask:
    """Where (h, w) features so many spreads `away` (h, w, 4) from the skin's may be skin as well.

    In the sun skin is lighter and less coloured, but of the same hue and smooth.
    """
    near = np.sqrt((away**2).sum(axis=-1)) < NO_SKIN
    a, b = usual[1] - GREY, usual[2] - GREY
    if (colour := float(np.hypot(a, b))) < NO_COLOUR:
        return np.asarray(near)
    across = away[..., 1] * spread[1] * b - away[..., 2] * spread[2] * a
    across /= colour * 0.5 * (spread[1] + spread[2])
    smooth = away[..., 3] < SUNLIT[1]
    return np.asarray(near | ((away[..., 0] > SUNLIT[0]) & smooth & (np.abs(across) < SUNLIT[2])))


def _filled(shape: tuple[int, ...], outline: Float) -> Mask:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask > 0


def _spots(shape: tuple[int, ...], points: Float, eyes_px: float) -> Mask:
    """Where (h, w) the bare skin is."""
    mask = np.zeros(shape, np.uint8)
    for x, y in np.round(points[list(BARE_SKIN)]).astype(int):
        cv2.circle(mask, (int(x), int(y)), max(1, round(SPOT_SHARE * eyes_px)), 1, -1)
    return mask > 0


def _above_nose(shape: tuple[int, ...], points: Float) -> Mask:
    """Where (h, w) the picture is higher than the nose's base, along the face."""
    down = points[152] - points[10]
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray((x - points[2, 0]) * down[0] + (y - points[2, 1]) * down[1] < 0.0)


def _log_likelihood(values: Float, samples: Float, kinds: int, floor: Float) -> Float:
    """Logarithm of the density (N,) at values (N, C) of a Gaussian mixture of samples (M, C)."""
    some = samples[np.linspace(0, len(samples) - 1, min(SAMPLES, len(samples))).astype(int)]
    label = _kinds(some / np.sqrt(floor), kinds)
    logs = []
    for k in range(kinds):
        own = some[label == k]
        if len(own) < 2:
            continue
        mean, variance = own.mean(axis=0), own.var(axis=0) + floor
        log = -0.5 * ((values - mean) ** 2 / variance).sum(axis=1) - 0.5 * np.log(variance).sum()
        logs.append(log + np.log(len(own) / len(some)))
    return f32(np.logaddexp.reduce(logs, axis=0))


def _kinds(samples: Float, kinds: int) -> NDArray[np.int32]:
    """Which of `kinds` clusters each sample (M, C) belongs to; at first, by lightness."""
    order = np.argsort(np.argsort(samples[:, 0]))
    label = np.asarray(order * kinds // len(order), np.int32)
    stop = (cv2.TERM_CRITERIA_MAX_ITER, KIND_STEPS, 0.0)
    _, label, _ = cv2.kmeans(samples, kinds, label, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(label.reshape(-1), np.int32)


def _joined(hair: Float, outside: Mask, points: Float, eyes_px: float) -> Float:
    """What is joined to the hair outside the face, without thin strands; softly."""
    own = np.zeros(hair.shape, np.uint8)
    for outline in BROWS_AND_EYES:
        own |= _filled(hair.shape, points[list(outline)]).astype(np.uint8)
    hair = f32(fill_smoothly(hair[..., None], f32(own == 0))[..., 0] > 0.5)
    size = round(THIN_SHARE * eyes_px) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    across = np.ones((1, round(GAP_SHARE * eyes_px) | 1), np.uint8)
    thick = cv2.morphologyEx(hair, cv2.MORPH_CLOSE, across)
    thick = cv2.morphologyEx(thick, cv2.MORPH_CLOSE, disc)
    thick = cv2.morphologyEx(thick, cv2.MORPH_OPEN, disc)
    _, pieces = cv2.connectedComponents(thick.astype(np.uint8))
    joined = np.unique(pieces[outside & (thick > 0.0)])
    kept = np.isin(pieces, joined[joined > 0])
    soft = cv2.GaussianBlur(kept.astype(np.float32), (0, 0), SOFT_SHARE * eyes_px)
    return f32(np.minimum(soft, 1.0))
