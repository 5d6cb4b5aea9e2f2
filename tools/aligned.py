"""Phones of real recordings whose words are known, aligned by the recogniser (CTC)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.hama_encoder import PHONE_CLASSES, HamaEncoder
from emotalk_cli.audio.waveform import normalise_level, read_waveform
from tools.spoken import Phone, Spoken, flite

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
"""Debian's package pocketsphinx-testdata: public-domain readings with their words."""
ROW_S = 0.02
HALF_PHONE_S = 0.04
"""A phone is taken to reach so far on either side of where the recogniser marks it."""


def librivox() -> list[Spoken]:
    """The recordings of LIBRIVOX with aligned phones."""
    found = []
    for line in (LIBRIVOX / "transcription").read_text().splitlines():
        words, _, name = line.rpartition(" (")
        text = words.replace("<s>", "").replace("</s>", "").strip()
        waveform = read_waveform(LIBRIVOX / f"{name.rstrip(')')}.wav")
        phones = [phone.ipa for phone in flite("slt", text).phones if phone.ipa]
        found.append(Spoken("LibriVox", text, waveform, align(waveform, phones)))
    return found


def align(waveform: NDArray[np.float32], phones: Sequence[str]) -> tuple[Phone, ...]:
    """The most likely moments of known phones in a waveform (S,), by Viterbi's algorithm.

    The states are those of CTC (Graves et al., ICML 2006): each phone, a blank before and after.
    """
    names = list(PHONE_CLASSES)
    posterior = HamaEncoder().encode(normalise_level(waveform))
    rest = posterior[:, [names.index("word boundary"), names.index("blank")]].sum(axis=1)
    columns = [posterior[:, names.index(ipa)] for ipa in phones]
    states = [rest] + [state for column in columns for state in (column, rest)]
    score = np.log(np.stack(states, axis=1) + 1e-5)
    skips = np.zeros(len(states), bool)
    skips[3::2] = [a != b for a, b in zip(phones[1:], phones, strict=False)]
    path = _best_path(score, skips)
    moments = [np.flatnonzero(path == 2 * k + 1).mean() * ROW_S for k in range(len(phones))]
    return tuple(
        Phone(ipa, at - HALF_PHONE_S, at + HALF_PHONE_S)
        for ipa, at in zip(phones, moments, strict=True)
    )


def _best_path(score: NDArray[np.float64], skips: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Log-scores (N, S), whether a state may follow the one before the last -> states (N,)."""
    rows, states = score.shape
    best = np.full(states, -np.inf)
    best[:2] = score[0, :2]
    came = np.zeros((rows, states), np.int64)
    for row in range(1, rows):
        ways = np.stack([best, np.roll(best, 1), np.where(skips, np.roll(best, 2), -np.inf)])
        ways[1, 0] = ways[2, :2] = -np.inf
        came[row] = ways.argmax(axis=0)
        best = ways.max(axis=0) + score[row]
    state = states - 1 - int(best[-2] > best[-1])
    path = np.empty(rows, np.int64)
    for row in range(rows - 1, -1, -1):
        path[row] = state
        state -= came[row, state]
    return path
