"""Surface metrics: by hand on a tiny face, zero on themselves, and against torchmetrics."""

from dataclasses import replace

import numpy as np
import pytest

from emotalk_cli.metrics import geometry
from emotalk_cli.metrics.geometry import TRACK_METRICS, ExpressionError
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.schema import FaceTrack


def with_unit(track: FaceTrack, unit: int, values: object) -> FaceTrack:
    expression = track.expression.copy()
    expression[:, unit] = values
    return replace(track, expression=expression)


def test_regions_lie_where_they_should(surface: FaceSurface, still: FaceTrack) -> None:
    lower_lip, lid = 14 * 3, 159 * 3
    brow = int(np.argmax(surface.neutral_mm(still)[: 468 * 3, 1]))
    assert lower_lip in surface.lips and lower_lip not in surface.upper
    assert lid in surface.upper and lid not in surface.lips
    assert brow in surface.upper
    assert set(surface.lips) <= set(surface.face) and set(surface.upper) <= set(surface.face)


def test_lve_is_the_largest_squared_distance(surface: FaceSurface, still: FaceTrack) -> None:
    half_open = with_unit(still, 0, 0.5)  # the lower lip is 5 mm too low
    assert geometry.LipVertexError(surface)(half_open, still) == pytest.approx(25.0, rel=1e-3)
    assert geometry.EyeVertexError(surface)(half_open, still) == 0.0


def test_eve_sees_brows_and_not_lips(surface: FaceSurface, still: FaceTrack) -> None:
    raised = with_unit(still, 1, 0.4)  # 2 mm
    assert geometry.EyeVertexError(surface)(raised, still) == pytest.approx(4.0, rel=1e-3)
    assert geometry.LipVertexError(surface)(raised, still) == 0.0


def test_mve_is_a_mean_distance(surface: FaceSurface, still: FaceTrack) -> None:
    half_open = with_unit(still, 0, 0.5)
    share = len({v for i in (87, 14, 317) for v in range(3 * i, 3 * i + 3)}) / len(surface.face)
    assert geometry.MeanVertexError(surface)(half_open, still) == pytest.approx(5 * share, rel=1e-3)


def test_fdd_by_hand(surface: FaceSurface, still: FaceTrack) -> None:
    beat = np.tile([0.0, 0.4], 25)  # squared motion 0 and 4 mm²: standard deviation 2 mm²
    lively = with_unit(still, 1, beat)
    moving = surface.neutral_mm(still)[surface.upper, 1] > 50 + 0.05
    share = moving.mean()
    fdd = geometry.FaceDynamicsDeviation(surface)
    assert fdd(still, lively) == pytest.approx(2 * share, rel=0.02)
    assert fdd(lively, still) == pytest.approx(-2 * share, rel=0.02)
    assert geometry.AbsoluteFaceDynamicsDeviation(surface)(lively, still) > 0


def test_head_rotation_error_is_the_angle(surface: FaceSurface, still: FaceTrack) -> None:
    pose = still.head_pose.copy()
    pose[:, 1] = np.radians(10)
    turned = replace(still, head_pose=pose)
    assert geometry.HeadPoseError(surface)(turned, still) == pytest.approx(10, rel=1e-4)


def test_expression_error_by_group(still: FaceTrack) -> None:
    made = with_unit(still, 2, 0.6)  # one of two units of the eye
    assert ExpressionError("eye")(made, still) == pytest.approx(0.3)
    assert ExpressionError("jaw")(made, still) == 0.0
    assert geometry.group_of("EyeBlink_L") == "eye"


@pytest.mark.parametrize("metric", TRACK_METRICS)
def test_nothing_differs_from_itself(
    metric: type[geometry.TrackMetric], surface: FaceSurface, talking: FaceTrack
) -> None:
    assert metric(surface)(talking, talking) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("metric", TRACK_METRICS)
def test_lost_frames_do_not_count(
    metric: type[geometry.TrackMetric], surface: FaceSurface, talking: FaceTrack
) -> None:
    spoiled = talking.expression.copy()
    spoiled[10:20] = 1.0
    valid = talking.valid.copy()
    valid[10:20] = False
    made = replace(talking, expression=spoiled, valid=valid)
    assert metric(surface)(made, talking) == pytest.approx(0.0, abs=1e-5)
    lost = replace(talking, valid=np.zeros_like(valid))
    assert np.isnan(metric(surface)(lost, talking))


def test_lve_agrees_with_torchmetrics(surface: FaceSurface, talking: FaceTrack) -> None:
    torch = pytest.importorskip("torch")
    multimodal = pytest.importorskip("torchmetrics.functional.multimodal")
    made = with_unit(talking, 0, talking.expression[::-1, 0])
    theirs = multimodal.lip_vertex_error(
        torch.from_numpy(surface.vertices_mm(made)),
        torch.from_numpy(surface.vertices_mm(talking)),
        surface.lips.tolist(),
    )
    assert geometry.LipVertexError(surface)(made, talking) == pytest.approx(float(theirs), rel=1e-5)
