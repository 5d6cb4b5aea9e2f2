"""All metrics of one clip: what can be measured on what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emotalk_cli.metrics.base import Described
from emotalk_cli.metrics.geometry import TRACK_METRICS, ExpressionError, group_of
from emotalk_cli.metrics.landmarks import LANDMARK_METRICS, AlignedLandmarks
from emotalk_cli.metrics.motion import MOTION_METRICS, Diversity
from emotalk_cli.metrics.opening import OPENING_METRICS, MouthOpening
from emotalk_cli.metrics.picture import PICTURE_METRICS, FaceCrops, compare_crops
from emotalk_cli.metrics.speech import SPEECH_METRICS, BeatAlignment
from emotalk_cli.metrics.speed import MakingTime, Speed
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.metrics.syncnet import SYNC_METRICS, Agreement
from emotalk_cli.metrics.witnesses import WITNESS_METRICS, Reading
from emotalk_cli.parts import Metric
from emotalk_cli.schema import AudioFeatures, FaceTrack

Wanted = Callable[[str], bool]
_ALL: tuple[type[Described], ...] = (
    *OPENING_METRICS,
    *TRACK_METRICS,
    *LANDMARK_METRICS,
    *SPEECH_METRICS,
    *MOTION_METRICS,
    BeatAlignment,
    Diversity,
    *PICTURE_METRICS,
    *SYNC_METRICS,
    *WITNESS_METRICS,
    Speed,
)
METRICS: dict[str, type[Described]] = {metric.name: metric for metric in _ALL}
FAMILIES = (
    *("Lips", "Surface", "Landmarks", "Speech", "Motion", "Coefficients", "Emotion"),
    "Picture",
    "Speed",
)


@dataclass(frozen=True)
class Value:
    """One measured number."""

    metric: str
    value: float
    unit: str
    better: str


def compare_tracks(
    predicted: FaceTrack, reference: FaceTrack, surface: FaceSurface, wanted: Wanted
) -> list[Value]:
    """Surface, coefficients and head pose of two tracks of one length, rate and shape."""
    groups = dict.fromkeys(group_of(name) for name in reference.expression_names)
    errors: list[Metric] = [ExpressionError(group) for group in groups]
    metrics = [*(m(surface) for m in TRACK_METRICS), *errors]
    return [_value(m, m(predicted, reference)) for m in metrics if wanted(m.name)]


def compare_landmarks(
    predicted: AlignedLandmarks, reference: AlignedLandmarks, wanted: Wanted
) -> list[Value]:
    """Landmark distances of two aligned sequences of one length and rate."""
    metrics = [m() for m in LANDMARK_METRICS if wanted(m.name)]
    return [_value(metric, metric(predicted, reference)) for metric in metrics]


def compare_openings(
    predicted: MouthOpening, reference: MouthOpening, wanted: Wanted
) -> list[Value]:
    """Lip metrics of two curves of one length, rate and unit."""
    metrics = [m() for m in OPENING_METRICS if wanted(m.name) and m.suits(predicted)]
    return [_value(metric, metric(predicted, reference)) for metric in metrics]


def describe_motion(track: FaceTrack, surface: FaceSurface, wanted: Wanted) -> list[Value]:
    """How one track moves."""
    metrics = [m(surface) for m in MOTION_METRICS if wanted(m.name)]
    return [_value(metric, metric(track)) for metric in metrics]


def describe_speech(
    opening: MouthOpening, track: FaceTrack | None, speech: AudioFeatures, wanted: Wanted
) -> list[Value]:
    """How one mouth, and the head where there is a track, go with the speech."""
    values = [_value(m, m()(opening, speech)) for m in SPEECH_METRICS if wanted(m.name)]
    if track is not None and wanted(BeatAlignment.name):
        values.append(_value(BeatAlignment, BeatAlignment()(track, speech)))
    return values


def describe_samples(
    samples: Sequence[FaceTrack], surface: FaceSurface, wanted: Wanted
) -> list[Value]:
    """How much the samples of one clip differ."""
    if not wanted(Diversity.name):
        return []
    return [_value(Diversity, Diversity(surface)(samples))]


def describe_sync(agreement: Agreement, wanted: Wanted) -> list[Value]:
    """What SyncNet says of one video and its sound."""
    metrics = [m for m in SYNC_METRICS if wanted(m.name)]
    return [_value(metric, getattr(agreement, metric.field)) for metric in metrics]


def describe_making(times: Sequence[MakingTime], wanted: Wanted) -> list[Value]:
    """How fast the samples of one clip were made, where that is known."""
    return [_value(Speed, Speed()(times))] if times and wanted(Speed.name) else []


def describe_testimony(values: Mapping[str, float], readings: Sequence[Reading]) -> list[Value]:
    """What the witnesses measured, and whether they read the label."""
    found = [_value(METRICS[name], value) for name, value in values.items()]
    return found + [_value(METRICS[r.metric], float(r.read == r.label)) for r in readings]


def compare_pictures(predicted: FaceCrops, reference: FaceCrops, wanted: Wanted) -> list[Value]:
    """Likeness of two videos' aligned crops at one rate."""
    return [_value(m, value) for m, value in compare_crops(predicted, reference, wanted).items()]


def definition_of(name: str) -> str:
    """What the metric called `name` measures."""
    return metric_class(name).definition()


def metric_class(name: str) -> type[Described]:
    """The class of the metric called `name`."""
    return METRICS.get(name, ExpressionError)


def _value(metric: Metric | Described | type[Described], value: float) -> Value:
    return Value(metric.name, value, metric.unit, metric.better)
