"""MediaPipe's face detector and face mesh: loaded once, kept silent, pictures in, arrays out.

Landmarks are the 468 points of the face mesh (Kartynnik et al., "Real-time Facial Surface Geometry
from Monocular Video on Mobile GPUs", 2019) and the 10 iris points, refined around lips and eyes by
attention (Grishchenko et al., "Attention Mesh", 2020). The models are part of the package
`mediapipe`; nothing is downloaded or sent.
"""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.mediapipe_solutions import silenced, solution

LANDMARK_COUNT = 478
MIN_DETECTION = 0.5
MIN_PRESENCE = 0.5
BYTES_PER_LANDMARK = 17  # protobuf: tag, length, and three tagged 32-bit floats
_BLANK = np.zeros((64, 64, 3), np.uint8)
_LANDMARK = np.dtype(
    {"names": ["x", "y", "z"], "formats": ["<f4"] * 3, "offsets": [3, 8, 13], "itemsize": 17}
)


@dataclass(frozen=True)
class Detection:
    """One face as the detector sees it: box (x0, y0, x1, y1) px, score 0..1, 6 key points px.

    Key points (6, 2): the subject's right eye, left eye, nose tip, mouth, right ear, left ear.
    """

    box: NDArray[np.float32]
    score: float
    key_points: NDArray[np.float32]


class FaceMesh:
    """MediaPipe's face mesh on single pictures, or (`static=False`) on the frames of a video."""

    def __init__(self, *, static: bool, max_faces: int = 1) -> None:
        module = solution("face_mesh")
        with silenced():
            self._mesh = module.FaceMesh(
                static_image_mode=static,
                max_num_faces=max_faces,
                refine_landmarks=True,
                min_detection_confidence=MIN_DETECTION,
                min_tracking_confidence=MIN_PRESENCE,
            )
            self._mesh.process(_BLANK)
        self._talks = True

    def reset(self) -> None:
        """Forget the frames before."""
        with silenced():
            self._mesh.reset()
            self._mesh.process(_BLANK)  # what starts in the background has started after this
        self._talks = True

    def __call__(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Picture (H, W, 3) uint8 RGB -> landmarks (478, 3) px of each face found.

        x and y count from the picture's top-left corner; z has the scale of x, smaller is nearer.
        """
        # MediaPipe warns once, when its first face comes.
        with silenced() if self._talks else nullcontext():
            found = self._mesh.process(np.ascontiguousarray(image)).multi_face_landmarks or []
        self._talks = self._talks and not found
        scale = np.array([image.shape[1], image.shape[0], image.shape[1]], np.float32)
        return [_points(face) * scale for face in found]


class FaceDetector:
    """MediaPipe's face detectors: the short-range and the full-range model."""

    def __init__(self) -> None:
        module = solution("face_detection")
        with silenced():
            self._models = [
                module.FaceDetection(model_selection=model, min_detection_confidence=MIN_DETECTION)
                for model in (1, 0)
            ]
            for model in self._models:
                model.process(_BLANK)

    def __call__(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Picture (H, W, 3) uint8 RGB -> every face that either model sees, without doubles."""
        scale = np.array([image.shape[1], image.shape[0]], np.float32)
        image = np.ascontiguousarray(image)
        found = []
        for model in self._models:
            for face in model.process(image).detections or []:
                area = face.location_data.relative_bounding_box
                corners = [
                    (area.xmin, area.ymin),
                    (area.xmin + area.width, area.ymin + area.height),
                ]
                box = (np.array(corners, np.float32) * scale).reshape(4)
                points = [(p.x, p.y) for p in face.location_data.relative_keypoints]
                found.append(
                    Detection(box, float(face.score[0]), np.array(points, np.float32) * scale)
                )
        return without_doubles(found)


def without_doubles(found: list[Detection]) -> list[Detection]:
    """The detections that do not overlap a better one, best first."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda f: -f.score):
        if all(overlap(face.box, other.box) < 0.3 for other in kept):
            kept.append(face)
    return kept


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Shared area of two boxes (4,), as a share of the smaller one, 0..1."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    smaller = min(float(np.prod(a[2:] - a[:2])), float(np.prod(b[2:] - b[:2])))
    return shared / smaller if smaller > 0 else 0.0


@functools.cache
def photo_mesh() -> FaceMesh:
    """The face mesh for single pictures, made once per process."""
    return FaceMesh(static=True, max_faces=4)


@functools.cache
def video_mesh() -> FaceMesh:
    """The face mesh for videos, made once per process: `reset` it before a clip."""
    return FaceMesh(static=False)


@functools.cache
def detector() -> FaceDetector:
    """The face detector, made once per process."""
    return FaceDetector()


def _points(face: Any) -> NDArray[np.float32]:
    data = face.SerializeToString()
    if len(data) == LANDMARK_COUNT * BYTES_PER_LANDMARK:  # 20 times faster than attribute access
        rows = np.frombuffer(data, _LANDMARK)
        return np.array([rows["x"], rows["y"], rows["z"]], np.float32).T
    return np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32)
