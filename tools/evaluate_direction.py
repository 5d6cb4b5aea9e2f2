"""How well emotions and directions are followed: `python -m tools.evaluate_direction PHOTO...`.

Every photo gets a voice of flite whose phones are known, and the default decoders. Tables:
distance from neutral over intensity; when a change of the timeline is half done, relative to its
key; how much of the articulation an emotion leaves; what each direction does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import ArrayLike, NDArray
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter1d

from emotalk_cli import parts, store
from emotalk_cli.audio.features import extract_features
from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.checkpoint import load_decoder
from emotalk_cli.decoders.direction.direction import Direction, direct, weights_of
from emotalk_cli.decoders.direction.emotions import EMOTIONS, parse_emotion
from emotalk_cli.decoders.direction.eye_direction import find_blinks, gaze_of
from emotalk_cli.decoders.direction.style import read_style
from emotalk_cli.decoders.lips.mouth import Mouth, mouth_of
from emotalk_cli.decoders.motion import Motion, add_pose, pose_delta
from emotalk_cli.decoders.sampling import Draw, sample_motion
from emotalk_cli.errors import EmotalkError
from emotalk_cli.face3d.fitting.fit import fit_photo
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.face3d.models.default_model import load_default_face_model
from emotalk_cli.render.photo import read_photo
from emotalk_cli.schema import AudioFeatures, FaceTrack, MadeBy
from emotalk_cli.stages.motion_making import WEIGHTS
from tools.spoken import FLITE_VOICES, Phone, flite, sentences

FPS = 25.0
PAUSE_S = 0.5
SENTENCES = 3
"""Sentences of a recording; those with most lip closures stand first in the list."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
FELT = tuple(name for name in EMOTIONS if name != "neutral")
KEY_S = 4.0
FRAMES_IN = round(1.0 * FPS)
"""Frames that an emotion takes to grow at the start."""
SLOW_S = 0.35
QUANTILES = (0.05, 0.5, 0.95)
CLOSED_IPA = ("p", "b", "m")
CLOSED_SHARE = 0.1
"""Lips are shut where their gap is below this share of the recording's 95th percentile."""
SLACK_S = 0.06
MADE_BY = MadeBy("evaluate-direction", "1")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Speech:
    """One recording: what is heard, and where its phones are."""

    features: AudioFeatures
    phones: tuple[Phone, ...]

    @property
    def times_s(self) -> Array:
        """Times of the frames."""
        return np.arange(round(self.features.duration_s * FPS)) / FPS


class Person:
    """One photo with the voice that it speaks with."""

    def __init__(self, still: FaceTrack, speech: Speech, seed: int) -> None:
        self.still, self.speech, self._seed = still, speech, seed
        self.model = load_default_face_model()
        self.units = self.model.expression_names
        self._lip, self._emo = load_decoder(WEIGHTS / "lip"), load_decoder(WEIGHTS / "emo")

    @cached_property
    def mouth(self) -> Mouth:
        """The mouth of the person."""
        return mouth_of(self.model, self.still.shape)

    def act(self, emotion: str, intensity: float = 1.0) -> Motion:
        """The speech with an emotion, as the decoders make it."""
        direction = Direction(emotion=parse_emotion(emotion, intensity))
        times = self.speech.times_s
        return sample_motion(
            self._lip,
            self._emo,
            self.speech.features,
            weights_of(direction, self.speech.features, times),
            frames=len(times),
            fps=FPS,
            draw=Draw(seed=self._seed),
            mouth=self.mouth,
        )

    def directed(self, motion: Motion, direction: Direction) -> Motion:
        """The same motion, directed."""
        features = self.speech.features
        return direct(
            motion, direction, features, fps=FPS, seed=0, units=self.units, mouth=self.mouth
        )

    def landmarks_mm(self, motion: Motion) -> Array:
        """Landmarks (T, 478, 3) of the face in its head, in mm."""
        points = self.model.landmarks(self.still.shape, motion.expression)
        return 1e3 * points.astype(np.float64)

    def opening_mm(self, motion: Motion) -> Array:
        """Height (T,) of the gap between the lips above rest, mm."""
        lips = [self.units.index(name) for name in self.mouth.units]
        gap = self.mouth.gap(motion.expression[:, lips]) - self.mouth.rest_m
        return 1e3 * gap.astype(np.float64)

    def closures(self, motion: Motion) -> list[bool]:
        """Whether the lips shut on each p, b, m."""
        gap, times = self.opening_mm(motion), self.speech.times_s
        shut = CLOSED_SHARE * np.quantile(gap, 0.95)
        found = []
        for phone in self.speech.phones:
            if phone.ipa in CLOSED_IPA:
                near = (times >= phone.start_s - SLACK_S) & (times <= phone.end_s + SLACK_S)
                found.append(bool(gap[near].min() < shut))
        return found


def read_people(photos: list[Path], console: Console) -> Iterator[Person]:
    """Everybody whose photo can be used, each with another voice."""
    model, voices = load_default_face_model(), [spoken(voice) for voice in FLITE_VOICES]
    for number, path in enumerate(photos):
        try:
            photo = read_photo(path)
            face = require_face(photo, path)
        except EmotalkError as error:
            console.print(f"left out: {error.problem}")
            continue
        height, width = photo.shape[:2]
        still = fit_photo(face.landmarks, width, height, model, made_by=MADE_BY)
        yield Person(still, voices[number % len(voices)], number)


def spoken(voice: str) -> Speech:
    """Some sentences by one voice of flite, with pauses between them."""
    sounds: list[NDArray[np.float32]] = []
    phones: list[Phone] = []
    start = 0.0
    for _, text in sentences("en")[:SENTENCES]:
        said = flite(voice, text)
        phones += [
            replace(p, start_s=p.start_s + start, end_s=p.end_s + start) for p in said.phones
        ]
        sounds += [said.waveform, np.zeros(int(16000 * PAUSE_S), np.float32)]
        start += len(sounds[-2]) / 16000 + len(sounds[-1]) / 16000
    encoder = parts.make(parts.SPEECH_ENCODERS, load_decoder(WEIGHTS / "lip").spec.encoder)
    features = extract_features(np.concatenate(sounds), encoder, made_by=MADE_BY)
    return Speech(features, tuple(phones))


def intensity_table(people: list[Person]) -> Table:
    """Mean distance of all landmarks from the neutral performance, mm."""
    table = Table("emotion", *(f"{s:g}" for s in STRENGTHS), "growing", title="distance, mm")
    for emotion in FELT:
        rows = []
        for person in people:
            neutral = person.landmarks_mm(person.act(emotion, 0.0))
            moved = [person.landmarks_mm(person.act(emotion, s)) - neutral for s in STRENGTHS]
            rows.append([float(np.linalg.norm(m, axis=-1).mean()) for m in moved])
        growing = sum(bool((np.diff(row) > 0).all()) for row in rows)
        means = [f"{value:.2f}" for value in np.mean(rows, axis=0)]
        table.add_row(emotion, *means, f"{growing} of {len(people)}")
    return table


def half_way_s(person: Person, emotion: str, timeline: str) -> float:
    """When the emotion's units are half changed, s after the key; nan where they never are."""
    neutral, full = (person.act(text).expression for text in ("0 neutral", f"0 {emotion}"))
    eyes = np.array([name.startswith(("eyeBlink", "eyeLook")) for name in person.units])
    profile = np.where(eyes, 0.0, (full - neutral).mean(axis=0))
    course = (person.act(timeline).expression - neutral) @ profile
    course /= (full - neutral).mean(axis=0) @ profile
    edge = round(1.5 * FPS)
    key = round(KEY_S * FPS)
    before, after = course[FRAMES_IN : key - edge].mean(), course[key + edge :].mean()
    passed = (course - (before + after) / 2) * np.sign(after - before) > 0
    # The last moment before which it was still on the old side, near the key.
    crossings = np.flatnonzero(passed[1:] & ~passed[:-1]) + 1
    near = crossings[np.abs(crossings - key) < edge]
    if not len(near):
        return float("nan")
    return float((near[np.abs(near - key).argmin()] - 0.5) / FPS - KEY_S)


def timeline_table(people: list[Person]) -> Table:
    """How long after the key half of the change is done."""
    table = Table("emotion", "comes, s", "goes, s", "within .3 s", title=f"key at {KEY_S:g} s")
    for emotion in FELT:
        comes = [half_way_s(p, emotion, f"0 neutral, {KEY_S} {emotion}") for p in people]
        goes = [half_way_s(p, emotion, f"0 {emotion}, {KEY_S} neutral") for p in people]
        within = sum(abs(value) <= 0.3 for value in (*comes, *goes))
        table.add_row(
            emotion,
            *(
                f"{np.mean(found):+.2f} ({min(found):+.2f} to {max(found):+.2f})"
                for found in (comes, goes)
            ),
            f"{within} of {2 * len(people)}",
        )
    return table


def speech_table(people: list[Person]) -> Table:
    """What the mouth still says under a full emotion."""
    table = Table("emotion", "r of the opening", "least r", "shut on p b m", title="speech")
    neutral = [person.act("neutral") for person in people]
    for emotion in ("neutral", *FELT):
        rs, shut = [], []
        for person, plain in zip(people, neutral, strict=True):
            felt = person.act(emotion)
            gaps = person.opening_mm(plain), person.opening_mm(felt)
            rs.append(_r(*gaps))
            shut += person.closures(felt)
        table.add_row(
            emotion, f"{np.mean(rs):.3f}", f"{min(rs):.3f}", f"{np.mean(shut):.0%} of {len(shut)}"
        )
    return table


def _r(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's r."""
    return float(np.corrcoef(np.asarray(a, np.float64), np.asarray(b, np.float64))[0, 1])


def auto_table(people: list[Person]) -> Table:
    """How the strength of an emotion follows the loudness of speech, and how strong it is."""
    table = Table("measured, in speech", "mean", "least", "most", title="happy:auto")
    direction = Direction(emotion=parse_emotion("happy:auto"), onset_s=0.0)
    found: dict[str, list[float]] = {}
    for person in people:
        features, times = person.speech.features, person.speech.times_s
        said = (beats_of(features, times).speaking > 0.5) & (times > FRAMES_IN / FPS)
        clock = np.arange(len(features.energy_db)) / features.rate_hz
        loud = _slow(np.interp(times, clock, features.energy_db), said)
        strength = weights_of(direction, features, times)[:, EMOTIONS.index("happy")]
        made = person.act("happy:auto").expression[:, person.units.index("mouthSmileLeft")]
        for name, value in (
            ("r of strength with loudness", _r(strength[said], loud[said])),
            ("r of the smile with loudness", _r(_slow(made, said)[said], loud[said])),
            *((f"strength, quantile {q}", np.quantile(strength[said], q)) for q in QUANTILES),
        ):
            found.setdefault(name, []).append(float(value))
    for name, values in found.items():
        table.add_row(name, f"{np.mean(values):.2f}", f"{min(values):.2f}", f"{max(values):.2f}")
    return table


def _slow(values: ArrayLike, counted: NDArray[np.bool_]) -> Array:
    """The mean around each frame (T,) of those that are counted."""
    weight = gaussian_filter1d(counted.astype(np.float64), SLOW_S * FPS)
    total = gaussian_filter1d(np.where(counted, values, 0.0), SLOW_S * FPS)
    return np.asarray(total / np.maximum(weight, 1e-3))


def direction_table(people: list[Person], clip: FaceTrack | None) -> Table:
    """What each direction does to a happy performance, beside the performance itself."""
    table = Table("direction", "measured", "undirected", "directed", title="directions")
    acted = [person.act("happy") for person in people]
    for name, direction, what, measure in _directions(clip or _sad_clip(people[0])):
        before = [measure(p, m) for p, m in zip(people, acted, strict=True)]
        after = [measure(p, p.directed(m, direction)) for p, m in zip(people, acted, strict=True)]
        table.add_row(name, what, f"{np.mean(before):.2f}", f"{np.mean(after):.2f}")
    return table


Measure = Callable[[Person, Motion], float]


def _directions(clip: FaceTrack) -> list[tuple[str, Direction, str, Measure]]:
    rows: list[tuple[str, Direction, str, Measure]] = []
    for strength in (0.5, 1.5):
        upper, lower = Direction(upper_strength=strength), Direction(lower_strength=strength)
        rows.append((f"upper strength {strength}", upper, "brows, cheeks, mean", _upper))
        rows.append((f"lower strength {strength}", lower, "lip opening, sd mm", _opening))
        rows.append((f"lower strength {strength}", lower, "shut on p b m", _shut))
    for share in (0.0, 0.5):
        rows.append((f"head motion {share}", Direction(head_motion=share), "turn, sd deg", _turn))
    for rate in (0.0, 10.0, 30.0):
        rows.append((f"blink rate {rate:g}", Direction(blink_rate=rate), "blinks/min", _blinks))
    rows.append(("gaze camera", Direction(gaze="camera"), "gaze, sd deg", _gaze_spread))
    rows.append(("gaze 8,-4", Direction(gaze=(8.0, -4.0)), "mean yaw, deg", _yaw))
    delta = pose_delta(clip.head_pose, clip.valid, clip.rest_pose)
    moved = Motion(clip.expression, delta)
    turn, nod = (
        f"turn, sd deg (clip {_turn(None, moved):.2f})",
        f"nod, deg (clip {_nod(None, moved):.2f})",
    )
    rows.append(("pose of a clip", Direction(pose=clip), nod, _nod))
    rows.append(("pose of a clip", Direction(pose=clip), turn, _turn))
    rows.append(("style of a clip", Direction(style=read_style(clip)), turn, _turn))
    return rows


def _sad_clip(person: Person) -> FaceTrack:
    """A sad performance as a track."""
    motion = person.act("sad")
    frames = len(motion.expression)
    return replace(
        person.still,
        expression=motion.expression,
        head_pose=add_pose(person.still.head_pose[0], motion.head_pose_delta),
        rest_pose=person.still.head_pose[0],
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        fps=FPS,
    )


def _upper(person: Person, motion: Motion) -> float:
    chosen = [n for n, name in enumerate(person.units) if name.startswith(("brow", "cheekSquint"))]
    return float(motion.expression[:, chosen].mean())


def _opening(person: Person, motion: Motion) -> float:
    return float(person.opening_mm(motion).std())


def _shut(person: Person, motion: Motion) -> float:
    return float(np.mean(person.closures(motion)))


def _turn(person: Person | None, motion: Motion) -> float:
    return float(np.degrees(motion.head_pose_delta[:, :3]).std(axis=0).mean())


def _nod(person: Person | None, motion: Motion) -> float:
    return float(np.degrees(motion.head_pose_delta[:, 0]).mean())


def _blinks(person: Person, motion: Motion) -> float:
    lids = [person.units.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    closure = motion.expression[:, lids].mean(axis=1).astype(np.float64)
    return len(find_blinks(closure, FPS)) / len(closure) * FPS * 60


def _gaze(person: Person, motion: Motion) -> Array:
    head = motion.head_pose_delta.astype(np.float64)
    return gaze_of(motion.expression.astype(np.float64), person.units, head)


def _gaze_spread(person: Person, motion: Motion) -> float:
    return float(_gaze(person, motion).std(axis=0).mean())


def _yaw(person: Person, motion: Motion) -> float:
    return float(_gaze(person, motion)[:, 0].mean())


def main(
    photos: list[Path],
    clip: Annotated[
        Path | None, typer.Option(help="Track of a real clip for pose and style (.h5).")
    ] = None,
) -> None:
    """Print the tables."""
    console = Console(width=110)
    people = list(read_people(photos, console))
    seconds = sum(person.speech.features.duration_s for person in people)
    console.print(f"{len(people)} people, {seconds:.0f} s of speech")
    for table in (intensity_table, timeline_table, speech_table, auto_table):
        console.print(table(people))
    console.print(direction_table(people, store.read(clip, FaceTrack) if clip else None))


if __name__ == "__main__":
    typer.run(main)
