"""One clip of one system: its samples against the reference, as rows, curves and notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.evaluate import (
    Value,
    Wanted,
    compare_landmarks,
    compare_openings,
    compare_pictures,
    compare_tracks,
    describe_making,
    describe_motion,
    describe_samples,
    describe_speech,
    describe_sync,
    describe_testimony,
)
from emotalk_cli.metrics.landmarks import AlignedLandmarks, align, project
from emotalk_cli.metrics.opening import MouthOpening
from emotalk_cli.metrics.picture import FaceCrops, side_by_side
from emotalk_cli.metrics.speed import MakingTime
from emotalk_cli.metrics.summary import REFERENCE_SYSTEM
from emotalk_cli.metrics.surface import FaceSurface
from emotalk_cli.metrics.syncnet import Agreement
from emotalk_cli.metrics.timing import (
    RATE_TOLERANCE_HZ,
    cut_track,
    landmarks_on_same_clock,
    on_same_face,
)
from emotalk_cli.metrics.witnesses import (
    Testimony,
    Witnesses,
    look_at_pictures,
    look_at_tracks,
)
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, ScoreRow

NOBODY = Witnesses()
MAX_UNEQUAL_FRAMES = 1
MIN_SEEN_SHARE = 0.5


@dataclass(frozen=True)
class Side:
    """What one file shows of a clip: a track of a known face model, or landmarks and pictures."""

    labels: Labels
    frames: int
    fps: float
    track: FaceTrack | None = None
    surface: FaceSurface | None = None
    landmarks: AlignedLandmarks | None = None
    crops: FaceCrops | None = None
    agreement: Agreement | None = None
    making: MakingTime | None = None

    def aligned(self) -> AlignedLandmarks:
        """Its landmarks in the aligned crop; a track's are seen by its own camera."""
        if self.landmarks is not None:
            return self.landmarks
        assert self.track is not None and self.surface is not None
        return _seen(self.track, self.track, self.surface)


@dataclass(frozen=True)
class Drawn:
    """The two openings of one clip of one system, and a JPEG of frames of two videos."""

    system: str
    clip_id: str
    predicted: MouthOpening
    reference: MouthOpening
    frames_jpeg: bytes = b""


@dataclass(frozen=True)
class ScoredClip:
    """The numbers of one clip of one system, the curves of its first sample, notes, and what the
    witnesses said of each sample.
    """

    rows: tuple[ScoreRow, ...]
    drawn: Drawn
    notes: tuple[str, ...]
    testimonies: tuple[Testimony, ...] = ()


@dataclass(frozen=True)
class _Measured:
    """Values about one sample, about the reference it was cut to, and the two curves."""

    predicted: list[Value]
    reference: list[Value]
    curves: tuple[MouthOpening, MouthOpening]
    track: FaceTrack | None = None
    testimony: Testimony = Testimony()


def score_clip(
    system: str,
    clip_id: str,
    samples: Sequence[Side],
    reference: Side,
    speech: AudioFeatures | None,
    wanted: Wanted,
    witnesses: Witnesses = NOBODY,
) -> ScoredClip:
    """Measure all samples of one clip; the values of several are averaged."""
    for side in (*samples, reference):
        if side.frames == 0:
            raise EmotalkError(f"A side of {clip_id} has no frame.", "Make it again.")
    labels = reference.labels if reference.labels.emotion else samples[0].labels
    measured = [
        _with_witnesses(
            _measure(sample, reference, speech, wanted), sample, reference, labels, witnesses
        )
        for sample in samples
    ]
    mine = _mean([one.predicted for one in measured])
    mine += describe_making([one.making for one in samples if one.making], wanted)
    tracks = [one.track for one in measured if one.track is not None]
    if len(tracks) > 1 and reference.surface is not None:
        frames = min(len(track.expression) for track in tracks)
        equal = [cut_track(track, frames) for track in tracks]
        mine += describe_samples(equal, reference.surface, wanted)
    rows = [
        ScoreRow(
            system=name,
            clip_id=clip_id,
            metric=value.metric,
            value=value.value,
            unit=value.unit,
            better=value.better,
            speaker=labels.speaker,
            emotion=labels.emotion,
        )
        for name, values in ((system, mine), (REFERENCE_SYSTEM, measured[0].reference))
        for value in values
        if np.isfinite(value.value)
    ]
    notes = [note for sample in samples for note in _notes(sample, reference)]
    crops, others = samples[0].crops, reference.crops
    jpeg = side_by_side(crops, others) if crops is not None and others is not None else b""
    drawn = Drawn(system, clip_id, *measured[0].curves, jpeg)
    said = tuple(one.testimony for one in measured)
    return ScoredClip(tuple(rows), drawn, tuple(notes), said)


def _with_witnesses(
    measured: _Measured, sample: Side, reference: Side, labels: Labels, witnesses: Witnesses
) -> _Measured:
    """The measured values with those that the witnesses add."""
    said = Testimony()
    if sample.crops is not None and reference.crops is not None:
        said = look_at_pictures(sample.crops, reference.crops, labels.emotion, witnesses)
    elif sample.track is not None and reference.track is not None:
        said = look_at_tracks(sample.track, reference.track, labels.emotion, witnesses)
    return dataclasses.replace(
        measured,
        predicted=measured.predicted + describe_testimony(said.values, said.predicted),
        reference=measured.reference + describe_testimony({}, said.reference),
        testimony=said,
    )


def _measure(
    sample: Side, reference: Side, speech: AudioFeatures | None, wanted: Wanted
) -> _Measured:
    if sample.track is None or reference.track is None or reference.surface is None:
        return _measure_landmarks(sample, reference, speech, wanted)
    surface = reference.surface
    made, real = on_same_face(sample.track, reference.track)
    curves = _opening(made, surface), _opening(real, surface)
    seen = _seen(made, real, surface), _seen(real, real, surface)
    values = compare_openings(*curves, wanted) + compare_tracks(made, real, surface, wanted)
    values += compare_landmarks(*seen, wanted) + describe_motion(made, surface, wanted)
    own = describe_motion(real, surface, wanted)
    if speech is not None:
        values += describe_speech(curves[0], made, speech, wanted)
        own += describe_speech(curves[1], real, speech, wanted)
    return _Measured(values, own, curves, made)


def _measure_landmarks(
    sample: Side, reference: Side, speech: AudioFeatures | None, wanted: Wanted
) -> _Measured:
    made, real = landmarks_on_same_clock(sample.aligned(), reference.aligned())
    curves = made.mouth_opening, real.mouth_opening
    values = compare_openings(*curves, wanted) + compare_landmarks(made, real, wanted)
    if sample.crops is not None and reference.crops is not None:
        values += compare_pictures(sample.crops, reference.crops, wanted)
    own: list[Value] = []
    if sample.agreement is not None:
        values += describe_sync(sample.agreement, wanted)
    if reference.agreement is not None:
        own += describe_sync(reference.agreement, wanted)
    if speech is not None:
        values += describe_speech(curves[0], None, speech, wanted)
        own += describe_speech(curves[1], None, speech, wanted)
    return _Measured(values, own, curves)


def _opening(track: FaceTrack, surface: FaceSurface) -> MouthOpening:
    return MouthOpening(surface.mouth_opening_mm(track), track.valid, "mm", track.fps)


def _seen(track: FaceTrack, posed_as: FaceTrack, surface: FaceSurface) -> AlignedLandmarks:
    """A track's landmarks as the camera of another sees them with that other's head pose.

    The EAT protocol gives the generator the true head pose, so that what is left is the face.
    """
    points = project(surface.landmarks_mm(track), posed_as.head_pose, posed_as.camera)
    return align(points, track.valid, track.fps)


def _mean(samples: Sequence[Sequence[Value]]) -> list[Value]:
    """Values of each metric averaged over the samples."""
    found: dict[str, list[Value]] = {}
    for value in (value for values in samples for value in values):
        found.setdefault(value.metric, []).append(value)
    return [
        dataclasses.replace(values[0], value=float(np.mean([v.value for v in values])))
        for values in found.values()
    ]


def _notes(sample: Side, reference: Side) -> list[str]:
    notes = []
    if abs(sample.fps - reference.fps) > RATE_TOLERANCE_HZ:
        notes.append(
            f"{sample.fps:g} frames a second were read off at the reference's {reference.fps:g}."
        )
    frames = sample.frames * reference.fps / sample.fps
    if abs(frames - reference.frames) > MAX_UNEQUAL_FRAMES + 0.5:
        notes.append(
            f"{frames:.0f} predicted frames against {reference.frames}; the longer was cut."
        )
    for name, side in (("prediction", sample), ("reference", reference)):
        valid = side.track.valid if side.track is not None else side.aligned().valid
        if valid.mean() < MIN_SEEN_SHARE:
            notes.append(f"the {name}'s face was seen in {valid.mean():.0%} of frames.")
    return notes
