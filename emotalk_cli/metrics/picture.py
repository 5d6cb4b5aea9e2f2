"""How alike two videos of a face look: aligned crops, PSNR, SSIM and MS-SSIM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.metrics.base import HIGHER, Described
from emotalk_cli.metrics.landmarks import CROP_PX, crop_transforms

if TYPE_CHECKING:
    import torch

FINE_PX = 2 * CROP_PX  # MS-SSIM's five scales need more than 160 px
BATCH_FRAMES = 32
DATA_RANGE = 255.0
SHOWN_FRAMES, SHOWN_PX, SHOWN_QUALITY = 6, 104, 82
MAX_PSNR_DB = 100.0  # of equal pictures, whose PSNR has no bound


@dataclass(frozen=True)
class FaceCrops:
    """Aligned crops (T, 256, 256, 3) uint8 RGB of one video and where its face was seen (T,)."""

    pictures: NDArray[np.uint8]
    valid: NDArray[np.bool_]


class PictureMetric(Described):
    """Compares two batches of crops of one size, frame by frame."""

    family: ClassVar[str] = "Picture"
    better: ClassVar[str] = HIGHER
    unit: ClassVar[str] = ""
    size_px: ClassVar[int] = CROP_PX

    def __call__(self, predicted: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """Crops (B, 3, H, W) float32 in 0..255 -> value of each frame (B,)."""
        raise NotImplementedError


class PeakSignalToNoise(PictureMetric):
    """PSNR of aligned crops of 128 px, mean over frames; equal pictures count as 100 dB."""

    name = "PSNR"
    unit = "dB"

    def __call__(self, predicted: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        from torchmetrics.functional.image import peak_signal_noise_ratio

        values: torch.Tensor = peak_signal_noise_ratio(
            predicted, reference, data_range=DATA_RANGE, reduction="none", dim=(1, 2, 3)
        )
        return values.clamp(max=MAX_PSNR_DB)


class StructuralSimilarity(PictureMetric):
    """SSIM of aligned crops of 128 px with a Gaussian window of 11 px, mean over frames.
    Wang et al., 2004.
    """

    name = "SSIM"

    def __call__(self, predicted: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        from torchmetrics.functional.image import structural_similarity_index_measure

        values: torch.Tensor = structural_similarity_index_measure(
            predicted, reference, data_range=DATA_RANGE, reduction="none"
        )
        return values


class MultiScaleStructuralSimilarity(PictureMetric):
    """MS-SSIM, five scales, of aligned crops of 256 px (128 px are too few), mean over frames.
    Wang et al., 2003.
    """

    name = "MS-SSIM"
    size_px = FINE_PX

    def __call__(self, predicted: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        from torchmetrics.functional.image import (
            multiscale_structural_similarity_index_measure as ms_ssim,
        )

        values: torch.Tensor = ms_ssim(
            predicted, reference, data_range=DATA_RANGE, reduction="none", normalize="relu"
        )
        return values


PICTURE_METRICS: tuple[type[PictureMetric], ...] = (
    PeakSignalToNoise,
    StructuralSimilarity,
    MultiScaleStructuralSimilarity,
)


def crop_face(picture: NDArray[np.uint8], landmarks_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Picture (H, W, 3) uint8 RGB and landmarks (478, 2 or 3) px -> crop (256, 256, 3)."""
    return warp(picture, crop_transforms(landmarks_px[None, :, :2], FINE_PX)[0], FINE_PX)


def warp(
    picture: NDArray[np.uint8], similarity: NDArray[np.floating[Any]], size_px: int, grey: int = 0
) -> NDArray[np.uint8]:
    """Picture (H, W, 3) -> square of it: (2, 3) moves its px to the square's; `grey` around it."""
    import cv2

    turn = similarity.astype(np.float64)
    shrink = int(1 / np.hypot(*turn[:, 0]))
    if shrink > 1:  # average before sampling, or fine texture turns into noise
        height, width = (side // shrink * shrink for side in picture.shape[:2])
        size = (width // shrink, height // shrink)
        picture = cv2.resize(picture[:height, :width], size, interpolation=cv2.INTER_AREA)
        turn[:, :2] *= shrink
    # Landmarks count from the corner of the first pixel, OpenCV from its centre.
    turn[:, 2] += turn[:, :2] @ [0.5, 0.5] - 0.5
    square = cv2.warpAffine(
        picture,
        turn,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(grey, grey, grey),
    )
    return np.asarray(square, np.uint8)


def side_by_side(predicted: FaceCrops, reference: FaceCrops) -> bytes:
    """Six moments of two videos as one JPEG file: the reference above, the prediction below."""
    import cv2

    frames = min(len(predicted.valid), len(reference.valid))
    moments = np.linspace(0, frames - 1, SHOWN_FRAMES).round().astype(int)
    rows = [np.hstack(list(side.pictures[moments])) for side in (reference, predicted)]
    size = (SHOWN_FRAMES * SHOWN_PX, 2 * SHOWN_PX)
    small = cv2.resize(np.vstack(rows), size, interpolation=cv2.INTER_AREA)
    quality = (cv2.IMWRITE_JPEG_QUALITY, SHOWN_QUALITY)
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)[1])


def compare_crops(
    predicted: FaceCrops, reference: FaceCrops, wanted: Callable[[str], bool]
) -> dict[type[PictureMetric], float]:
    """Mean over the frames in which both faces were seen; nan if there are none."""
    import torch

    metrics = [metric for metric in PICTURE_METRICS if wanted(metric.name)]
    frames = min(len(predicted.valid), len(reference.valid))
    seen = np.flatnonzero(predicted.valid[:frames] & reference.valid[:frames])
    if not len(seen) or not metrics:
        return dict.fromkeys(metrics, float("nan"))
    sums = dict.fromkeys(metrics, 0.0)
    with torch.inference_mode():
        for start in range(0, len(seen), BATCH_FRAMES):
            batch = seen[start : start + BATCH_FRAMES]
            fine = [_tensor(side.pictures[batch]) for side in (predicted, reference)]
            coarse = [torch.nn.functional.avg_pool2d(pictures, 2) for pictures in fine]
            for metric in metrics:
                pictures = fine if metric.size_px == FINE_PX else coarse
                sums[metric] += float(metric()(*pictures).sum())
    return {metric: total / len(seen) for metric, total in sums.items()}


def _tensor(pictures: NDArray[Any]) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.array(pictures, np.float32)).permute(0, 3, 1, 2)
