"""The records: what each HDF5 file holds, with axes, dtype, unit and range of every field.

History of the format
  version 1 (2026-11): Clip, FaceTrack, AudioFeatures, Scores.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError, RecordError

FORMAT_VERSION = 1
SUFFIX = ".h5"
"""How the names of records end."""
MAX_SEED = 2**32 - 1
SAMPLE_RATE_HZ = 16000
"""Of all sound that records hold and stages hear."""
BLOCK_BYTES = 2 << 20

Float = NDArray[np.float32]
Bool = NDArray[np.bool_]
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class ArraySpec:
    """What one array field must look like.

    `axes` names the axes in order; a number fixes an axis, a letter is the same length wherever
    it appears in the record. `low` and `high` bound every value (inclusive).
    """

    axes: tuple[str, ...]
    dtype: str
    unit: str
    about: str
    low: float | None = None
    high: float | None = None


def array(
    axes: str,
    unit: str,
    about: str,
    *,
    dtype: str = "float32",
    low: float | None = None,
    high: float | None = None,
    optional: bool = False,
) -> Any:
    """Declare an array field of a record; an optional one may be None."""
    spec = ArraySpec(tuple(axes.split()), dtype, unit, about, low, high)
    if optional:
        return field(default=None, metadata={"array": spec})
    return field(metadata={"array": spec})


def check_seed(seed: int) -> None:
    """Raise EmotalkError unless `seed` is one that every source of random numbers takes."""
    if not 0 <= seed <= MAX_SEED:
        raise EmotalkError(f"The seed is {seed}.", f"Give a whole number from 0 to {MAX_SEED}.")


@dataclass(frozen=True)
class MadeBy:
    """Who made a file: equal values mean an equal file, so the work can be skipped.

    `inputs` maps a short name of each input (never an absolute path) to its sha256.
    """

    stage: str
    version: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a seed that is none."""
        if self.seed is not None:
            check_seed(self.seed)


@dataclass(frozen=True)
class Labels:
    """What a corpus says about one clip; empty where it says nothing.

    `emotion` is one of MEAD's eight labels, `intensity` is 0..1 (MEAD's level n of 3 is n/3).
    """

    clip_id: str = ""
    dataset: str = ""
    speaker: str = ""
    emotion: str = ""
    intensity: float = 1.0
    view: str = ""
    split: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of all records. Arrays are declared with `array`; all other fields are attributes."""

    kind: ClassVar[str] = ""
    version: ClassVar[int] = FORMAT_VERSION
    made_by: MadeBy

    @classmethod
    def array_specs(cls) -> dict[str, ArraySpec]:
        """Name -> specification of every array field, in order."""
        return {
            f.name: f.metadata["array"] for f in dataclasses.fields(cls) if "array" in f.metadata
        }

    @classmethod
    def attribute_names(cls) -> list[str]:
        """Names of the fields that are no arrays, in order."""
        return [f.name for f in dataclasses.fields(cls) if "array" not in f.metadata]

    @classmethod
    def optional_names(cls) -> set[str]:
        """Names of the arrays that may be absent."""
        return {
            f.name
            for f in dataclasses.fields(cls)
            if "array" in f.metadata and f.default is not dataclasses.MISSING
        }

    def check(self) -> None:
        """Raise RecordError when a field breaks its specification."""
        sizes: dict[str, int] = {}
        for name, spec in self.array_specs().items():
            value = getattr(self, name)
            if value is None and name in self.optional_names():
                continue
            _check_array(self.kind, name, spec, value, sizes)


@dataclass(frozen=True, kw_only=True)
class Clip(Record):
    """One video clip: landmarks of one face, its sound and labels."""

    kind: ClassVar[str] = "Clip"
    landmarks: Float = array("T 478 3", "px", "MediaPipe face mesh in the upright source picture")
    valid: Bool = array("T", "", "False where the face was lost and filled in", dtype="bool")
    crop: Float = array("4", "px", "x0, y0, width, height of the square crop in the source picture")
    waveform: Float = array("S", "", "mono speech, starts with the first frame", low=-1.0, high=1.0)
    frames_jpeg: UInt8 | None = array(
        "B", "", "JPEG files of the square crop, one after another", dtype="uint8", optional=True
    )
    frame_ends: Int64 | None = array(
        "T", "byte", "where each frame's JPEG ends in frames_jpeg", dtype="int64", optional=True
    )
    fps: float
    width_px: int
    height_px: int
    sample_rate_hz: int = SAMPLE_RATE_HZ
    source: str
    source_sha256: str
    labels: Labels = Labels()
    words: tuple[tuple[float, float, str], ...] = ()

    def frame_jpeg(self, index: int) -> bytes:
        """JPEG bytes of the square crop of frame `index`."""
        if self.frames_jpeg is None or self.frame_ends is None:
            raise RecordError(
                f"{self.source} was preprocessed without its frames.",
                "Run `emotalk preprocess` again with --frames.",
            )
        start = int(self.frame_ends[index - 1]) if index else 0
        return self.frames_jpeg[start : int(self.frame_ends[index])].tobytes()


@dataclass(frozen=True, kw_only=True)
class FaceTrack(Record):
    """The motion of one face: coefficients of a linear face model, head pose and camera.

    A model point X moves to R(rotation) X + translation in the camera's space (x right, y up, the
    camera looks along -z) and lands at u = cx + f x / -z, v = cy - f y / -z.
    """

    kind: ClassVar[str] = "FaceTrack"
    shape: Float = array("S", "sd", "identity coefficients")
    expression: Float = array("T E", "", "activity of each unit", low=0.0, high=1.0)
    head_pose: Float = array("T 6", "rad, m", "rotation vector, then translation")
    camera: Float = array("5", "px", "focal length, centre x, centre y, picture width, height")
    residual_px: Float = array("T", "px", "mean landmark error of the fit; 0 where generated")
    valid: Bool = array("T", "", "False where the face was lost and filled in", dtype="bool")
    emotion_weights: Float | None = array(
        "T 8",
        "",
        "share of each emotion in the order of emotion_names.EMOTIONS; absent: as labelled",
        low=0.0,
        high=1.0,
        optional=True,
    )
    albedo: Float | None = array(
        "V 3",
        "",
        "colour of each vertex without light, sRGB over 255; absent: fitted to landmarks alone",
        low=0.0,
        high=1.0,
        optional=True,
    )
    light: Float | None = array(
        "9 3",
        "",
        "light as harmonics of camera-space normals, face3d.photometric.appearance",
        optional=True,
    )
    colour_error: Float | None = array(
        "T", "of 255", "mean difference of drawn and seen colours", low=0.0, optional=True
    )
    rest_pose: Float | None = array(
        "6", "rad, m", "head pose at rest; absent: the middle of the clip", optional=True
    )
    rest_expression: Float | None = array(
        "E", "", "the resting face within expression; absent: unknown", low=0.0, high=1.0,
        optional=True,
    )  # fmt: skip
    face_model: str
    face_model_sha256: str
    expression_names: tuple[str, ...]
    fps: float
    labels: Labels = Labels()


@dataclass(frozen=True, kw_only=True)
class AudioFeatures(Record):
    """What is heard in one recording; row n of every array is the moment n / rate_hz."""

    kind: ClassVar[str] = "AudioFeatures"
    speech: Float = array("N P", "", "the encoder's output: phone posteriors for hama")
    log_mel: Float = array("N M", "ln", "log mel power")
    f0_hz: Float = array("N", "Hz", "pitch, 0 where unvoiced", low=0.0)
    voicing: Float = array("N", "", "probability of voice", low=0.0, high=1.0)
    energy_db: Float = array("N", "dB", "level, re full scale")
    speaking_rate_hz: float
    rate_hz: float
    duration_s: float
    encoder: str
    speech_names: tuple[str, ...] = ()
    labels: Labels = Labels()


@dataclass(frozen=True)
class ScoreRow:
    """One metric of one clip of one system."""

    system: str
    clip_id: str
    metric: str
    value: float
    unit: str
    better: str  # "lower", "higher" or "" where neither is
    speaker: str = ""
    emotion: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores(Record):
    """All rows of one scoring run."""

    kind: ClassVar[str] = "Scores"
    rows: tuple[ScoreRow, ...]


RECORDS: dict[str, type[Record]] = {
    record.kind: record for record in (Clip, FaceTrack, AudioFeatures, Scores)
}


def blocks(value: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Parts of an array along its first axis, so that one on disk never fills the memory."""
    rows = max(1, BLOCK_BYTES // max(1, value[:1].nbytes))
    for start in range(0, len(value), rows):
        yield slice(start, start + rows), value[start : start + rows]
        release(value)


def release(value: NDArray[Any]) -> None:
    """Let go of the memory that the parts of an array on disk took; of no other array."""
    mapped = getattr(value, "_mmap", None)  # of a numpy.memmap
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _check_array(
    kind: str, name: str, spec: ArraySpec, value: object, sizes: dict[str, int]
) -> None:
    where = f"{kind}.{name}"
    if not isinstance(value, np.ndarray):
        raise RecordError(f"{where} is {type(value).__name__}, not an array.")
    if value.dtype != np.dtype(spec.dtype):
        raise RecordError(f"{where} holds {value.dtype}, not {spec.dtype}.")
    if value.ndim != len(spec.axes):
        raise RecordError(f"{where} has shape {value.shape}, not ({', '.join(spec.axes)}).")
    for axis, size in zip(spec.axes, value.shape, strict=True):
        expected = int(axis) if axis.isdigit() else sizes.setdefault(axis, size)
        if size != expected:
            raise RecordError(
                f"{where} has shape {value.shape}: axis {axis} should be {expected} long."
            )
    if value.dtype.kind == "f" and value.size:
        extremes = [(block.min(), block.max()) for _, block in blocks(value)]
        low, high = float(np.min(extremes)), float(np.max(extremes))
        if not np.isfinite([low, high]).all():
            raise RecordError(f"{where} holds values that are not finite.")
        if (spec.low is not None and low < spec.low) or (
            spec.high is not None and high > spec.high
        ):
            raise RecordError(
                f"{where} holds {low:.4g} to {high:.4g}; allowed: {spec.low} to {spec.high}."
            )
