"""LSE-C and LSE-D: how far SyncNet hears what it sees, with the user's own copy of its weights.

Chung and Zisserman, Out of time: automated lip sync in the wild, 2016; the measures are those of
Prajwal et al., Wav2Lip, 2020. The weights (syncnet_v2.model) come with no package: without them
there are no such figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import HIGHER, LOWER, NEITHER, Described
from emotalk_cli.metrics.mfcc import FRAMES_PER_S, mfcc
from emotalk_cli.metrics.picture import warp
from emotalk_cli.metrics.weights_file import read_state
from emotalk_cli.schema import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import torch

FPS = 25
FACE_PX = 224
WINDOW_FRAMES = 5  # the network sees and hears 0.2 s at a time
MAX_SHIFT_FRAMES = 15
EMBEDDING = 1024
BLOCK_FRAMES = 24
CROP_PADDING = 0.4  # of half the face's larger side, left, right and twice below
SMOOTHING_FRAMES = 13
BORDER_GREY = 110


@dataclass(frozen=True)
class Agreement:
    """What SyncNet says of one video: LSE-C, LSE-D and by how many frames the sound is early."""

    confidence: float
    distance: float
    offset_frames: float


class SyncConfidence(Described):
    """LSE-C: median minus minimum over shifts of ±15 frames of SyncNet's mean distance between
    face and sound (Prajwal et al., 2020). Faces are cut around MediaPipe's landmarks.
    """

    name = "LSE-C"
    unit = ""
    better = HIGHER
    family: ClassVar[str] = "Speech"
    field: ClassVar[str] = "confidence"


class SyncDistance(SyncConfidence):
    """LSE-D: minimum over shifts of ±15 frames of SyncNet's mean distance between face and sound
    (Prajwal et al., 2020).
    """

    name = "LSE-D"
    better = LOWER
    field = "distance"


class SyncOffset(SyncConfidence):
    """Shift at which SyncNet finds face and sound closest, as its own code counts: above zero, the
    sound is early; below, it is late.
    """

    name = "SyncNet offset"
    unit = "frames"
    better = NEITHER
    field = "offset_frames"


SYNC_METRICS: tuple[type[SyncConfidence], ...] = (SyncConfidence, SyncDistance, SyncOffset)


class SyncNet:
    """The public SyncNet v2: faces and sound become vectors that are close where they agree."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        """`state` is the network's state dictionary, of the public file's exact layout."""
        import torch

        self._parts = torch.nn.ModuleDict(_layers())
        self._parts.load_state_dict(state, strict=False)
        self._parts.eval().requires_grad_(False)

    def see(self, faces: NDArray[np.uint8]) -> torch.Tensor:
        """Faces (T, 224, 224, 3) uint8 RGB at 25 fps -> embeddings (T - 4, 1024)."""
        import torch

        parts = []
        last = len(faces) - WINDOW_FRAMES + 1
        for start in range(0, last, BLOCK_FRAMES):
            block = faces[start : min(start + BLOCK_FRAMES, last) + WINDOW_FRAMES - 1]
            # The network learned on OpenCV's order of colours, values 0 to 255.
            pictures = torch.from_numpy(np.ascontiguousarray(block[..., ::-1], np.float32))
            seen = self._parts["netcnnlip"](pictures.permute(3, 0, 1, 2)[None])
            parts.append(self._parts["netfclip"](seen[0, :, :, 0, 0].T))
        return torch.cat(parts)

    def hear(self, waveform: NDArray[np.float32]) -> torch.Tensor:
        """Waveform (S,) of 16 kHz in -1..1 -> embeddings (N, 1024), one for every 40 ms."""
        import torch

        cepstra = torch.from_numpy(mfcc(waveform))
        rows, step = FRAMES_PER_S * WINDOW_FRAMES // FPS, FRAMES_PER_S // FPS
        windows = cepstra.unfold(0, rows, step)[:, None]
        heard = self._parts["netcnnaud"](windows)
        embeddings: torch.Tensor = self._parts["netfcaud"](heard.flatten(1))
        return embeddings

    def compare(self, faces: NDArray[np.uint8], waveform: NDArray[np.float32]) -> Agreement:
        """Faces (T, 224, 224, 3) at 25 fps and their sound (S,); nan for less than 0.4 s."""
        import torch

        both = min(len(faces), len(waveform) * FPS // SAMPLE_RATE_HZ) - WINDOW_FRAMES
        if both < WINDOW_FRAMES:
            return Agreement(float("nan"), float("nan"), float("nan"))
        with torch.inference_mode():
            seen, heard = self.see(faces)[:both], self.hear(waveform)
            shifted = torch.nn.functional.pad(heard[:both], (0, 0, *[MAX_SHIFT_FRAMES] * 2))
            windows = shifted.unfold(0, 2 * MAX_SHIFT_FRAMES + 1, 1).transpose(1, 2)
            apart = torch.nn.functional.pairwise_distance(seen[:, None], windows).mean(0)
        nearest = int(apart.argmin())
        return Agreement(
            float(apart.median() - apart[nearest]),
            float(apart[nearest]),
            float(MAX_SHIFT_FRAMES - nearest),
        )


def load_syncnet(path: Path) -> SyncNet:
    """Read the user's SyncNet; refuses what has another layout."""
    import torch

    expected = torch.nn.ModuleDict(_layers()).state_dict()
    advice = "Give the public file syncnet_v2.model of Chung and Zisserman's SyncNet."
    return SyncNet(read_state(path, expected, "SyncNet", advice))


def face_boxes(landmarks_px: NDArray[np.float32]) -> NDArray[np.float64]:
    """Landmarks (T, 478, 2 or 3) px -> centre x, y and half side (T, 3) px, smoothed over time."""
    from scipy.signal import medfilt

    low, high = landmarks_px[..., :2].min(1), landmarks_px[..., :2].max(1)
    boxes = np.column_stack([(low + high) / 2, (high - low).max(1) / 2]).astype(np.float64)
    reach = SMOOTHING_FRAMES // 2
    padded = np.pad(boxes, ((reach, reach), (0, 0)), mode="edge")
    return np.column_stack([medfilt(column, SMOOTHING_FRAMES) for column in padded.T])[reach:-reach]


def cut_face(picture: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Picture (H, W, 3) and one of `face_boxes` -> (224, 224, 3), as SyncNet's pipeline cuts."""
    x, y, half = box
    side = 2 * half * (1 + CROP_PADDING)
    scale = FACE_PX / side
    similarity = scale * np.array([[1.0, 0.0, side / 2 - x], [0.0, 1.0, half - y]])
    return warp(picture, similarity, FACE_PX, BORDER_GREY)


def _layers() -> dict[str, Any]:
    """The four stacks with the names and the order of the public file."""
    from torch import nn

    def norm2(inside: int, outside: int, kernel: Any, padding: Any = 1) -> list[nn.Module]:
        conv = nn.Conv2d(inside, outside, kernel, padding=padding)
        return [conv, nn.BatchNorm2d(outside), nn.ReLU()]

    def norm3(inside: int, outside: int, kernel: Any, stride: Any, padding: Any) -> list[nn.Module]:
        conv = nn.Conv3d(inside, outside, kernel, stride=stride, padding=padding)
        return [conv, nn.BatchNorm3d(outside), nn.ReLU()]

    def head() -> nn.Module:
        return nn.Sequential(
            nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING)
        )

    flat, around = (1, 3, 3), (0, 1, 1)
    audio = [
        *norm2(1, 64, 3),
        nn.MaxPool2d(1, 1),
        *norm2(64, 192, 3),
        nn.MaxPool2d(3, (1, 2)),
        *norm2(192, 384, 3),
        *norm2(384, 256, 3),
        *norm2(256, 256, 3),
        nn.MaxPool2d(3, 2),
        *norm2(256, 512, (5, 4), 0),
    ]
    lips = [
        *norm3(3, 96, (5, 7, 7), (1, 2, 2), 0),
        nn.MaxPool3d(flat, (1, 2, 2)),
        *norm3(96, 256, (1, 5, 5), (1, 2, 2), around),
        nn.MaxPool3d(flat, (1, 2, 2), around),
        *norm3(256, 256, flat, 1, around),
        *norm3(256, 256, flat, 1, around),
        *norm3(256, 256, flat, 1, around),
        nn.MaxPool3d(flat, (1, 2, 2)),
        *norm3(256, 512, (1, 6, 6), 1, 0),
    ]
    return {
        "netcnnaud": nn.Sequential(*audio),
        "netfcaud": head(),
        "netfclip": head(),
        "netcnnlip": nn.Sequential(*lips),
    }
