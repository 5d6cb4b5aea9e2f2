"""Sampling: speech and emotion -> motion, window after window, in constant memory.

A window has `context` frames of the past that are given, then new frames; its last `lookahead`
frames are only there so that those before them know their future, and are made again by the next
window from the same noise; a short blend leads over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotalk_cli.decoders import diffusion, groups
from emotalk_cli.decoders.acting.speech_beats import beats_of
from emotalk_cli.decoders.checkpoint import Decoder
from emotalk_cli.decoders.conditions import Heard, emotion_input, hear
from emotalk_cli.decoders.denoiser import Conditions, input_sizes
from emotalk_cli.decoders.life import enliven
from emotalk_cli.decoders.lips.articulators import CLOSED, ROUNDED, TEETH
from emotalk_cli.decoders.lips.closures import TEETH_SURE, close_lips, to_teeth, touch_strength
from emotalk_cli.decoders.lips.mouth import Mouth
from emotalk_cli.decoders.lips.rounding import round_lips, rounding_strength
from emotalk_cli.decoders.lips.silence import at_rest
from emotalk_cli.decoders.motion import POSE_NAMES, Motion, compose, resample
from emotalk_cli.decoders.spec import Spec, check_pair
from emotalk_cli.decoders.training.expectation import natural
from emotalk_cli.decoders.training.windows import told_speech
from emotalk_cli.errors import EmotalkError
from emotalk_cli.large_arrays import give_back
from emotalk_cli.schema import AudioFeatures, check_seed, release

Float = NDArray[np.float32]

FADE = 8
"""So many frames lead from what a window foresaw to what the next one makes."""
LIP_STREAM, FACE_STREAM, LIFE_STREAM = 1, 2, 3
"""Numbers that keep the noise of the two decoders, and of blinks, apart under one seed."""


@dataclass(frozen=True)
class Draw:
    """How motion is drawn; None takes what the checkpoint recommends.

    `temperature` scales the noise that sampling starts from: 0 is the most likely motion, 1 as
    varied as the data. `close_lips`: whatever the decoder says, shut them wherever a p, b or m is
    heard, bring them to the teeth on f and v, purse them on w and oo. `rest_in_silence`: hardly
    move them where nothing is said. `enliven`: eyes that fixate or jump, heads that rest in
    silence, as many blinks as the corpus had (see `life`).
    """

    seed: int = 0
    steps: int | None = None
    speech_guidance: float | None = None
    emotion_guidance: float | None = None
    temperature: float | None = None
    sampler: str = "dpm"
    close_lips: bool = True
    rest_in_silence: bool = True
    enliven: bool = True

    def __post_init__(self) -> None:
        """Refuse a seed that is none."""
        check_seed(self.seed)


@dataclass(frozen=True)
class _Told:
    """The whole recording as a decoder is told it; weights (T, 8) at the decoder's rate."""

    heard: Heard
    emotion: Float
    frames: int
    fps: float


def sample_motion(
    lip: Decoder,
    emo: Decoder | None,
    features: AudioFeatures,
    emotion_weights: Float,
    *,
    frames: int,
    fps: float,
    draw: Draw | None = None,
    mouth: Mouth | None = None,
) -> Motion:
    """Speech and emotion weights (T, 8) in 0..1 at `fps` -> motion of `frames` frames at `fps`.

    `lip` may be a single decoder, which needs no `emo`; without `emo` the face beside the lips
    rests. `mouth` is the person's own (default: the mean face's), so that lips close on it.
    """
    rate = lip.spec.fps
    needed = max(1, math.ceil((frames - 1) * rate / fps) + 1)
    at = np.arange(needed) * fps / rate
    weights = resample(np.asarray(emotion_weights, np.float32), at)
    expression = np.empty((needed, len(lip.spec.expression_names)), np.float32)
    pose = np.empty((needed, len(POSE_NAMES)), np.float32)
    made = 0
    for window in _windows(lip, emo, features, weights, needed, draw or Draw(), mouth):
        last = made + len(window.expression)
        expression[made:last], pose[made:last] = window.expression, window.head_pose_delta
        made = last
    face = emo or (lip if lip.spec.group == "single" else None)
    if face and (draw or Draw()).enliven:
        give_back()
        alive = _enlivened(Motion(expression, pose), face.spec, features, weights, draw or Draw())
        expression, pose = alive.expression, alive.head_pose_delta
    if rate != fps:
        times = np.arange(frames) * rate / fps
        expression, pose = resample(expression, times), resample(pose, times)
    return Motion(expression[:frames], pose[:frames])


def _enlivened(
    motion: Motion, spec: Spec, features: AudioFeatures, weights: Float, draw: Draw
) -> Motion:
    """The whole motion with eyes and head as `life` makes them; `weights` (T, 8)."""
    frames = len(motion.expression)
    if frames < 2:
        return motion
    rates = np.asarray(spec.blinks_per_minute, np.float64)
    at = np.minimum(np.arange(frames), len(weights) - 1)
    beats = beats_of(features, np.arange(frames) / spec.fps)
    rng = np.random.default_rng((draw.seed, LIFE_STREAM))
    return enliven(
        motion, spec.expression_names, beats, weights[at] @ rates if len(rates) else None, rng
    )


def _windows(
    lip: Decoder,
    emo: Decoder | None,
    features: AudioFeatures,
    emotion_weights: Float,
    frames: int,
    draw: Draw,
    mouth: Mouth | None,
) -> Iterator[Motion]:
    """Motion at the decoders' own frame rate, window by window, not yet enlivened."""
    lips_of = mouth or lip.spec.mouth
    _check(lip, emo, features)
    told = _Told(hear(features), emotion_input(emotion_weights), frames, lip.spec.fps)
    give_back()
    if lip.spec.group == "single":
        whole = _Stream(lip, told, draw, FACE_STREAM)
        while not whole.done:
            start = whole.first
            made, _ = whole.advance(None)
            others, pose = groups.face_of(lip.spec, made)
            shape = _settled(groups.mouth_of_single(lip.spec, made), told, start, lips_of, draw)
            yield Motion(groups.whole_face(lip.spec, shape, others), pose)
        return
    lips = _Stream(lip, told, draw, LIP_STREAM)
    face = _Stream(emo, told, draw, FACE_STREAM) if emo else None
    while not lips.done:
        if face and emo:
            made, ahead = face.advance(None)
            others, pose = groups.face_of(emo.spec, made)
            colour = groups.colour_of(emo.spec, np.concatenate([made, ahead]))
        else:
            length = lips.next_length()
            others = np.zeros((length[0], len(lip.spec.other_units)), np.float32)
            pose = np.zeros((length[0], len(POSE_NAMES)), np.float32)
            colour = np.zeros((sum(length), len(lip.spec.lip_units)), np.float32)
        start = lips.first
        spoken, _ = lips.advance(colour)
        spoken = _settled(spoken, told, start, lips_of, draw)
        shape = compose(spoken, colour[: len(spoken)], lips_of)
        yield Motion(groups.whole_face(lip.spec, shape, others), pose)


def _settled(units: Float, told: _Told, first: int, mouth: Mouth, draw: Draw) -> Float:
    """The mouth (T, L) of frames `first` on, at rest in silence and shut on a p, b or m."""
    heard, times = told.heard, (first + np.arange(len(units))) / told.fps
    if draw.rest_in_silence:
        units = at_rest(units, heard.speaking, heard.rate_hz, times)
    if draw.close_lips:
        lips, rate_hz = heard.lips, heard.rate_hz
        rounded = rounding_strength(lips[:, ROUNDED], rate_hz, first, len(units), told.fps)
        units = round_lips(units, rounded, mouth)
        gap = mouth.gap(units)
        teeth = touch_strength(lips[:, TEETH], rate_hz, first, told.fps, gap, TEETH_SURE)
        closed = touch_strength(lips[:, CLOSED], rate_hz, first, told.fps, gap)
        units = to_teeth(units, teeth, mouth)
        units = close_lips(units, closed, mouth)
    return units


class _Stream:
    """One decoder going through one recording."""

    def __init__(self, decoder: Decoder, told: _Told, draw: Draw, number: int) -> None:
        self._decoder, self._told, self._draw = decoder, told, draw
        spec = decoder.spec
        self._names = input_sizes(spec)
        self._device = next(decoder.model.parameters()).device
        self._generator = torch.Generator().manual_seed(draw.seed * 4 + number)
        self._noise = torch.zeros(0, len(spec.outputs))
        self._ahead: Float = np.zeros((0, len(spec.outputs)), np.float32)
        self._past: Float = np.zeros((0, len(spec.outputs)), np.float32)
        self._past_colour: Float = np.zeros((0, len(spec.lip_units)), np.float32)
        self.first = 0

    @property
    def done(self) -> bool:
        """Whether all frames are made."""
        return self.first >= self._told.frames

    def next_length(self) -> tuple[int, int]:
        """Frames that the next window keeps, and makes beyond them."""
        spec = self._decoder.spec
        new = spec.window - spec.context - spec.lookahead
        kept = min(new, self._told.frames - self.first)
        return kept, spec.lookahead

    def advance(self, colour: Float | None) -> tuple[Float, Float]:
        """Make the next window: frames kept (n, D) and provisional ones after them (m, D).

        `colour` (n + m, L) is the emotion's mouth for those frames, for a lip decoder.
        """
        spec, draw = self._decoder.spec, self._draw
        kept, ahead = self.next_length()
        conditions = self._conditions(kept + ahead, colour)
        x = diffusion.sample(
            self._decoder.model,
            conditions,
            self._window_noise(kept + ahead),
            mode=spec.mode,
            steps=draw.steps or spec.steps,
            speech_guidance=_given(draw.speech_guidance, spec.speech_guidance),
            emotion_guidance=_given(draw.emotion_guidance, spec.emotion_guidance),
            sampler=draw.sampler,
        )
        new = self._faded(x[0, len(self._past) :].cpu().numpy())
        self._ahead = new[kept:]
        self._past = np.concatenate([self._past, new[:kept]])[-spec.context :]
        if colour is not None:
            self._past_colour = np.concatenate([self._past_colour, colour[:kept]])[-spec.context :]
        result = natural(spec, new, self._emotion(self.first + np.arange(kept + ahead)))
        self.first += kept
        return result[:kept], result[kept:]

    def _emotion(self, frames: NDArray[np.int64]) -> Float:
        told = self._told.emotion
        return told[np.clip(frames, 0, len(told) - 1)]

    def _faded(self, new: Float) -> Float:
        """The window's new frames, the first few blended with what was foreseen of them."""
        count = min(FADE, len(self._ahead))
        part = (np.arange(1, count + 1, dtype=np.float32) / (count + 1))[:, None]
        new[:count] = self._ahead[:count] * (1 - part) + new[:count] * part
        return new

    def _window_noise(self, new: int) -> Tensor:
        """Noise (1, T, D) of a window; what the last one made provisionally keeps its noise."""
        spec = self._decoder.spec
        fresh = torch.randn((new - len(self._noise), len(spec.outputs)), generator=self._generator)
        noise = torch.cat([self._noise, fresh])
        self._noise = noise[new - spec.lookahead :]
        past = torch.zeros(len(self._past), len(spec.outputs))
        strength = _given(self._draw.temperature, spec.temperature)
        return strength * torch.cat([past, noise])[None].to(self._device)

    def _conditions(self, new: int, colour: Float | None) -> Conditions:
        spec, told = self._decoder.spec, self._told
        given = len(self._past)
        at = np.arange(self.first - given, self.first + new)
        times = at / spec.fps
        values: dict[str, Float] = {
            "prosody": resample(told.heard.prosody, times * told.heard.rate_hz),
            "emotion": self._emotion(at),
        }
        if spec.hears_speech:
            values["speech"] = told_speech(spec, told.heard, times)
            release(told.heard.speech)
        if colour is not None:
            values["colour"] = np.concatenate(
                [self._past_colour[-given:] if given else self._past_colour[:0], colour]
            )
        past = np.zeros((len(at), len(spec.outputs)), np.float32)
        past[:given] = self._past
        known = np.zeros((len(at), 1), np.float32)
        known[:given] = 1

        def batched(rows: Float) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(rows))[None].to(self._device)

        return Conditions(
            values={name: batched(values[name]) for name in self._names},
            past=batched(past),
            known=batched(known),
            keep=torch.ones(1, 2, device=self._device),
        )


def _check(lip: Decoder, emo: Decoder | None, features: AudioFeatures) -> None:
    if lip.spec.group == "single":
        if emo is not None:
            raise EmotalkError(
                "A single decoder moves the whole face; it takes no emotion decoder beside it.",
                "Leave out --emo-decoder.",
            )
    elif emo is not None:
        check_pair(lip.spec, emo.spec)
    elif lip.spec.group != "lip":
        raise EmotalkError(
            f"This is a decoder of the group '{lip.spec.group}', not of the lips.",
            "Give the folder that `emotalk train-lip` or `train-single` wrote.",
        )
    if features.encoder != lip.spec.encoder:
        raise EmotalkError(
            f"The speech features are of '{features.encoder}', the decoder was trained with "
            f"'{lip.spec.encoder}'.",
            f"Use `--encoder {lip.spec.encoder}`, or a decoder trained with the other one.",
        )


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
