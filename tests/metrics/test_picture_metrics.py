"""Picture metrics: equal to skimage's, worse with more damage; crops follow the face."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from emotalk_cli.metrics import landmarks as lm
from emotalk_cli.metrics.picture import (
    FINE_PX,
    FaceCrops,
    PeakSignalToNoise,
    compare_crops,
    crop_face,
    side_by_side,
)

torch = pytest.importorskip("torch")


def crops(noise: float = 0.0, frames: int = 3) -> FaceCrops:
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:FINE_PX, :FINE_PX]
    picture = 120 + 60 * np.sin(across / 9)[..., None] * np.cos(down / 14)[..., None] * [
        1,
        0.8,
        0.5,
    ]
    pictures = picture + noise * rng.standard_normal((frames, FINE_PX, FINE_PX, 3))
    return FaceCrops(np.clip(pictures, 0, 255).astype(np.uint8), np.ones(frames, bool))


def measured(made: FaceCrops, real: FaceCrops) -> dict[str, float]:
    found = compare_crops(made, real, lambda name: True)
    return {metric.name: value for metric, value in found.items()}


def test_equal_pictures_are_perfect() -> None:
    found = measured(crops(), crops())
    assert found["PSNR"] == 100
    assert found["SSIM"] == pytest.approx(1) and found["MS-SSIM"] == pytest.approx(1)


def test_more_noise_is_worse() -> None:
    rows = [measured(crops(noise), crops()) for noise in (0, 4, 12, 30)]
    for name in ("PSNR", "SSIM", "MS-SSIM"):
        assert (np.diff([row[name] for row in rows]) < 0).all()


def test_psnr_and_ssim_agree_with_skimage() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    made, real = crops(10, 1), crops(0, 1)
    found = measured(made, real)
    small = [_halved(side.pictures[0]) for side in (made, real)]
    psnr = metrics.peak_signal_noise_ratio(small[1], small[0], data_range=255)
    ssim = metrics.structural_similarity(
        small[1],
        small[0],
        data_range=255,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert found["PSNR"] == pytest.approx(psnr, rel=1e-4)
    assert found["SSIM"] == pytest.approx(ssim, abs=2e-3)  # they treat the border otherwise


def test_psnr_by_hand() -> None:
    black, grey = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 25.5)
    assert float(PeakSignalToNoise()(grey, black)) == pytest.approx(20)


def test_unseen_frames_do_not_count() -> None:
    made, real = crops(), crops()
    made.pictures[1] = 0
    made.valid[1] = False
    assert measured(made, real)["PSNR"] == 100
    assert np.isnan(measured(FaceCrops(made.pictures, np.zeros(3, bool)), real)["SSIM"])


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_crop_puts_the_eyes_in_their_place(scale: float) -> None:
    points = np.full((478, 3), 150.0, np.float32)
    points[lm.ALIGNED_POINTS, :2] = np.array(lm.TEMPLATE) * 200 + [40, 60]
    points *= scale
    picture = np.zeros((int(320 * scale), int(330 * scale), 3), np.uint8)
    left, top = (points[lm.ALIGNED_POINTS[9], :2] - 6 * scale).astype(int)
    side = int(12 * scale)
    picture[top : top + side, left : left + side] = 255  # around the outer corner of an eye
    crop = crop_face(picture, points)
    bright = np.argwhere(crop[..., 0] > 128) + 0.5
    expected = np.array(lm.TEMPLATE[9][::-1]) * FINE_PX
    np.testing.assert_allclose(bright.mean(0), expected, atol=1.0)


def test_frames_stand_side_by_side() -> None:
    made, real = crops(), crops()
    made.pictures[:] = 0
    with Image.open(io.BytesIO(side_by_side(made, real))) as sheet:
        assert sheet.format == "JPEG"
        shown = np.asarray(sheet.convert("RGB")).astype(float)
    assert shown.shape == (208, 624, 3)
    assert shown[110:].max() < 20 and shown[:100].mean() == pytest.approx(
        real.pictures.mean(), abs=5
    )


def _halved(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    half = FINE_PX // 2
    return picture.reshape(half, 2, half, 2, 3).astype(float).mean((1, 3))
