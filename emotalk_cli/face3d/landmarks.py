"""Faces in photos: where they are, their 478 landmarks, and whether one can be worked with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.face_mesh import (
    LANDMARK_COUNT,
    Detection,
    detector,
    overlap,
    photo_mesh,
    without_doubles,
)

__all__ = [
    "LANDMARK_COUNT",
    "DetectedFace",
    "detect_faces",
    "head_angles",
    "require_face",
    "search_faces",
    "sharpness",
]

MIN_FACE_PX = 64.0  # below, the mesh guesses lips and lids
MAX_YAW_DEG = 45.0  # beyond, one half of the face is not in the picture
MAX_PITCH_DEG = 40.0
MAX_ROLL_DEG = 60.0
UPSIDE_DOWN_DEG = 120.0  # from here on a face does not lie any more, it stands on its head
MIN_SEEN_AGAIN = 0.6  # detector score
CLEARER = 0.05  # detector score; a wrongly turned face loses 0.09 to 0.4
MAX_DISAGREEMENT = 0.03  # share of the face's height; 0.005 to 0.016 on clear portraits
FOREHEAD_SLOPE_DEG = 7.0  # how far the line from forehead to chin leans in an upright head
SEARCH_PX = 1024
MESH_PX = 640
CROP_SCALE = 2.2
BORDER = 0.3
TILE_LEVELS = (2, 3, 5)

# Landmark numbers of the face mesh that mirror each other, and of the midline.
MIRRORED = ((33, 263), (133, 362), (61, 291), (172, 397), (70, 300), (107, 336), (205, 425))
MIDLINE = (10, 152, 13, 14, 168, 4)
MOUTH_AND_EYES = (0, 17, 61, 291, 33, 133, 362, 263)
NOSE_TIP, CHIN, FOREHEAD, RIGHT_SIDE, LEFT_SIDE = 4, 152, 10, 234, 454


@dataclass(frozen=True)
class DetectedFace:
    """One face in a picture.

    landmarks (478, 3) px, box (x0, y0, x1, y1) px around them; size_px is the box's mean side.
    Yaw is positive when the face looks to the picture's right, pitch when it looks up, roll when
    the head leans to the picture's right. `confidence` 0..1 is the detector's. `disagreement` is
    how far the landmarks move when the picture is mirrored, as a share of the face's height: high
    where something hides the face. `sharpness` falls with blur (0: flat). `others` counts further
    faces.
    """

    landmarks: NDArray[np.float32]
    box: NDArray[np.float32]
    size_px: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    confidence: float
    disagreement: float
    sharpness: float
    others: int = 0

    @property
    def note(self) -> str:
        """What people should know about the choice of this face; often nothing."""
        if not self.others:
            return ""
        return f"{self.others + 1} faces found; the largest ({self.size_px:.0f} px) is taken."


def detect_faces(image: NDArray[np.uint8]) -> list[DetectedFace]:
    """Picture (H, W, 3) uint8 RGB of any size -> faces with their landmarks, largest first."""
    return _detect(image)[0]


def require_face(image: NDArray[np.uint8], path: Path) -> DetectedFace:
    """The largest face of a photo (H, W, 3) uint8 RGB; `path` names it in messages.

    Raises EmotalkError where there is no face, or it is too small, not upright, a profile or
    hidden.
    """
    faces, unclear = _detect(image)
    if not faces:
        raise _no_face(image, unclear, path)
    face = faces[0]
    if face.size_px < MIN_FACE_PX:
        raise _too_small(face.size_px, path)
    # The mesh is drawn the right way up on upside-down faces: its own roll does not tell.
    _require_upright(_true_roll(_crop(image, face.box)[0], 1 / CROP_SCALE, face.disagreement), path)
    _require_upright(face.roll_deg, path)
    if abs(face.yaw_deg) > MAX_YAW_DEG:
        raise EmotalkError(
            f"The face in {path} is turned {abs(face.yaw_deg):.0f} degrees to the side; up to "
            f"{MAX_YAW_DEG:.0f} are possible.",
            _FRONTAL,
        )
    if abs(face.pitch_deg) > MAX_PITCH_DEG:
        way = "up" if face.pitch_deg > 0 else "down"
        raise EmotalkError(
            f"The face in {path} looks {abs(face.pitch_deg):.0f} degrees {way}; up to "
            f"{MAX_PITCH_DEG:.0f} are possible.",
            _FRONTAL,
        )
    if face.disagreement > MAX_DISAGREEMENT:
        raise EmotalkError(
            f"The face in {path} is partly hidden: its features cannot be found with certainty.",
            _FREE,
        )
    _require_inside(face, image, path)
    return face


def _require_inside(face: DetectedFace, image: NDArray[np.uint8], path: Path) -> None:
    """Refuse where the picture's edge cuts off an eye or a part of the mouth."""
    xy = face.landmarks[list(MOUTH_AND_EYES), :2]
    if (xy < 0).any() or (xy > [image.shape[1], image.shape[0]]).any():
        raise EmotalkError(
            f"The face in {path} is cut off by the picture's edge.",
            "Use a photo that shows both eyes and the whole mouth.",
        )


def head_angles(landmarks: NDArray[np.float32]) -> tuple[float, float, float]:
    """Landmarks (478, 3) px -> yaw, pitch, roll in degrees, from the mesh's own depth."""
    right = landmarks[LEFT_SIDE] - landmarks[RIGHT_SIDE]
    right = right / max(float(np.linalg.norm(right)), 1e-6)
    down = landmarks[CHIN] - landmarks[FOREHEAD]
    down = down - right * float(right @ down)
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    away = np.cross(right, down)
    yaw = -np.degrees(np.arctan2(away[0], away[2]))
    pitch = np.degrees(np.arcsin(np.clip(away[1], -1.0, 1.0))) + FOREHEAD_SLOPE_DEG
    roll = np.degrees(np.arctan2(right[1], right[0]))
    return float(yaw), float(pitch), float(roll)


_FRONTAL = "Use a photo taken from the front."
_FREE = "Use a photo from the front in which nothing covers eyes, nose and mouth."


def _no_face(image: NDArray[np.uint8], unclear: list[Detection], path: Path) -> EmotalkError:
    """What to say of a picture without landmarks; raises where turning it shows a face."""
    if not unclear:
        whole = _cut(image, 0, 0, image.shape[1], image.shape[0], MESH_PX)[0]
        _require_upright(_true_roll(whole, 1.0, MAX_DISAGREEMENT), path)
        return EmotalkError(
            f"No face was found in {path}: it is hidden, turned away, or not there.", _FREE
        )
    best = max(unclear, key=lambda d: _side(d.box))
    if _side(best.box) < MIN_FACE_PX:
        return _too_small(_side(best.box), path)
    _require_upright(_true_roll(_crop(image, best.box)[0], 1 / CROP_SCALE, MAX_DISAGREEMENT), path)
    return EmotalkError(
        f"No clear face was found in {path}: it is a profile, hidden or blurred.", _FREE
    )


def _require_upright(roll_deg: float, path: Path) -> None:
    turned = abs(roll_deg)
    if turned <= MAX_ROLL_DEG:
        return
    way = "is upside down" if turned > UPSIDE_DOWN_DEG else "lies on its side"
    raise EmotalkError(
        f"The face in {path} {way} (turned by {turned:.0f} degrees).",
        "Rotate the photo so that the face is upright.",
    )


def _too_small(size_px: float, path: Path) -> EmotalkError:
    return EmotalkError(
        f"The face in {path} is too small: {size_px:.0f} px; {MIN_FACE_PX:.0f} px are needed.",
        "Use a larger version of the photo or one taken from closer.",
    )


def _detect(image: NDArray[np.uint8]) -> tuple[list[DetectedFace], list[Detection]]:
    """The faces with landmarks, largest first, and detections that gave no landmarks."""
    faces: list[DetectedFace] = []
    unclear: list[Detection] = []
    for level in _levels(image):
        for found in level:
            if any(_same(found.box, other.box) for other in unclear):
                continue  # a profile may get a mesh at the second try, but not a true one
            face = _mesh_of(image, found)
            if (face is None or face.size_px < MIN_FACE_PX) and not _seen_again(image, found):
                continue
            if face is None:
                unclear.append(found)
            elif all(overlap(face.box, other.box) < 0.5 for other in faces):
                faces.append(face)
        if faces:
            break
    faces.sort(key=lambda f: -f.size_px)
    big = [f for f in faces if f.size_px >= 0.25 * faces[0].size_px]
    return [replace(f, others=len(big) - 1) for f in faces], unclear


def _same(box: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether a detection's box is of the face in another's, not of a smaller one inside it."""
    return overlap(box, other) > 0.5 and _side(box) > _side(other) / 2


def _seen_again(image: NDArray[np.uint8], found: Detection) -> bool:
    """Whether a picture of its own shows the face too: what is no face looks like one only once."""
    return _turned(_crop(image, found.box)[0], 0, 1 / CROP_SCALE)[0] >= MIN_SEEN_AGAIN


def search_faces(image: NDArray[np.uint8], levels: int | None = None) -> list[Detection]:
    """Detections in the picture (H, W, 3): in the whole, then with a border, then tile by tile.

    The search ends with the first of the 5 levels that shows a face; `levels` stops it earlier.
    """
    return next((found for found in islice(_levels(image), levels) if found), [])


def _levels(image: NDArray[np.uint8]) -> Iterator[list[Detection]]:
    """The detections of each level of the search, without doubles; often none."""
    for regions in _regions(image.shape[1], image.shape[0]):
        yield without_doubles([face for region in regions for face in _look(image, *region)])


def _regions(width: int, height: int) -> Iterator[list[tuple[float, float, float, float]]]:
    """Ever finer sets of regions (x, y, width, height) px to search."""
    yield [(0, 0, width, height)]
    border = BORDER * max(width, height)
    yield [(-border, -border, width + 2 * border, height + 2 * border)]
    for level in TILE_LEVELS:
        side = 1.5 * max(width, height) / level
        across = max(1, round(1.5 * width / side))
        down = max(1, round(1.5 * height / side))
        yield [
            (x, y, side, side)
            for x in np.linspace(0, max(width - side, 0), across)
            for y in np.linspace(0, max(height - side, 0), down)
        ]


def _look(
    image: NDArray[np.uint8], x: float, y: float, width: float, height: float
) -> list[Detection]:
    part, origin, scale = _cut(image, x, y, width, height, SEARCH_PX)
    shift = np.tile(origin, 2)
    return [
        Detection(face.box / scale + shift, face.score, face.key_points / scale + origin)
        for face in detector()(part)
    ]


def _cut(
    image: NDArray[np.uint8], x: float, y: float, width: float, height: float, limit_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """A region shrunk to `limit_px`, edges repeated beyond the picture; its origin px, scale."""
    import cv2

    x0, y0 = int(np.floor(x)), int(np.floor(y))
    x1, y1 = x0 + max(2, round(width)), y0 + max(2, round(height))
    inside = image[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    top, left = max(-y0, 0), max(-x0, 0)
    bottom, right = (y1 - y0) - top - inside.shape[0], (x1 - x0) - left - inside.shape[1]
    part = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
    scale = min(1.0, limit_px / max(part.shape[:2]))
    if scale < 1:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return part, np.array([x0, y0], np.float32), scale


def _mesh_of(image: NDArray[np.uint8], found: Detection) -> DetectedFace | None:
    part, origin, scale = _crop(image, found.box)
    offset = np.append(origin, 0.0).astype(np.float32)
    mesh = _nearest(photo_mesh()(part), (found.box - np.tile(origin, 2)) * scale)
    if mesh is None:
        return None
    landmarks = mesh / scale + offset
    box = _box_of(landmarks)
    yaw, pitch, roll = head_angles(landmarks)
    return DetectedFace(
        landmarks=landmarks,
        box=box,
        size_px=_side(box),
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        confidence=min(found.score, 1.0),
        disagreement=_disagreement(part, mesh),
        sharpness=sharpness(part, mesh),
    )


def _box_of(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)])


def _side(box: NDArray[np.float32]) -> float:
    return float(np.mean(box[2:] - box[:2]))


def _nearest(
    meshes: list[NDArray[np.float32]], box: NDArray[np.float32]
) -> NDArray[np.float32] | None:
    """The mesh nearest to the middle of `box`, if it lies in the box."""
    middle, side = (box[:2] + box[2:]) / 2, _side(box)
    gaps = [float(np.linalg.norm(m[:, :2].mean(axis=0) - middle)) for m in meshes]
    if not gaps or min(gaps) > side / 2:
        return None
    return meshes[int(np.argmin(gaps))]


def _disagreement(part: NDArray[np.uint8], mesh: NDArray[np.float32]) -> float:
    """Mean distance between the landmarks and those of the mirrored picture, over face height."""
    box = _box_of(mesh)
    width = part.shape[1]
    mirrored_box = np.array([width - box[2], box[1], width - box[0], box[3]], np.float32)
    other = _nearest(photo_mesh()(part[:, ::-1]), mirrored_box)
    if other is None:
        return 1.0
    here = [i for pair in MIRRORED for i in pair] + list(MIDLINE)
    there = [i for right, left in MIRRORED for i in (left, right)] + list(MIDLINE)
    back = other[there, :2] * [-1, 1] + [width, 0]
    gaps = np.linalg.norm(mesh[here, :2] - back, axis=1)
    return float(gaps.mean() / max(float(box[3] - box[1]), 1.0))


def _crop(
    image: NDArray[np.uint8], box: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """The square `CROP_SCALE` times as wide as the box around it; its origin px, scale."""
    side = CROP_SCALE * _side(box)
    x, y = (box[:2] + box[2:]) / 2 - side / 2
    return _cut(image, float(x), float(y), side, side, MESH_PX)


def _true_roll(part: NDArray[np.uint8], share: float, disagreement: float) -> float:
    """The roll, -180..180 degrees, of the face in the middle `share` of a picture.

    The picture is looked at in four turns. The clearest of them counts if the detector is surer
    there than without turning and the mesh agrees with its mirror image better than `disagreement`;
    0 otherwise.
    """
    plain, *others = (_turned(part, quarter, share) for quarter in range(4))
    seen = [(score, mesh, k) for k, (score, mesh) in enumerate(others, start=1)]
    for score, mesh, quarter in sorted(seen, key=lambda look: -look[0]):
        if score < plain[0] + CLEARER:
            break
        if mesh is not None and _side(_box_of(mesh)) >= MIN_FACE_PX:
            if _disagreement(np.rot90(part, quarter), mesh) >= disagreement:
                break
            roll = head_angles(mesh)[2] + 90.0 * quarter
            return (roll + 180.0) % 360.0 - 180.0
    return 0.0


def _turned(
    part: NDArray[np.uint8], quarter: int, share: float
) -> tuple[float, NDArray[np.float32] | None]:
    """Detector score (0: none) and mesh of the middle face, the picture turned by 90 * quarter."""
    picture = np.ascontiguousarray(np.rot90(part, quarter))
    size = np.array(picture.shape[1::-1], np.float32)
    area = np.concatenate([size * (1 - share) / 2, size * (1 + share) / 2])
    mesh = _nearest(photo_mesh()(picture), area)
    if mesh is not None:
        area = _box_of(mesh)
    scores = [found.score for found in detector()(picture) if _same(found.box, area)]
    return max(scores, default=0.0), mesh


def sharpness(part: NDArray[np.uint8], mesh: NDArray[np.float32]) -> float:
    """How sharp the face with landmarks (478, 2 or 3) px in a picture (H, W, 3) is.

    Standard deviation of the Laplacian over that of the brightness, on the face at 192 px.
    """
    import cv2

    low = np.maximum(mesh[:, :2].min(axis=0), 0).astype(int)
    high = np.maximum(mesh[:, :2].max(axis=0), low + 2).astype(int)
    face = part[low[1] : high[1], low[0] : high[0]]
    if not face.size:  # the face lies beyond the picture
        return 0.0
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (192, 192), interpolation=cv2.INTER_AREA).astype(np.float32)
    return float(cv2.Laplacian(small, cv2.CV_32F).std() / max(float(small.std()), 1.0))
