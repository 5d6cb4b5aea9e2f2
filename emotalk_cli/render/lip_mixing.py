"""Numba kernel that mixes a lip's own colours into the photo's, as the lips part or meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.kernels import kernel


@kernel
def mix_lip(
    skin: NDArray[np.float32],
    lip: NDArray[np.float32],
    weights: NDArray[np.float32],
    column: NDArray[np.float32],
    states: NDArray[np.float32],
    darkening: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (h, w, 4) from skin and lip (h, w, 4).

    weights (h, w, 3): of the lip over its line, beyond its line, and of the line where lips meet.
    column (h, w): place along the mouth in 0..1. states (4, COLUMNS): how far the lips have opened
    and closed since the photo, how far it shows them open, and how far they meet that it shows
    apart, in 0..1. darkening (3,): of the line where they meet.
    """
    last = states.shape[1] - 1
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            over, beyond, seam = weights[y, x, 0], weights[y, x, 1], weights[y, x, 2]
            at = column[y, x] * last
            k = min(int(at), last - 1)
            t = at - k
            opened = states[0, k] + t * (states[0, k + 1] - states[0, k])
            closing = states[1, k] + t * (states[1, k + 1] - states[1, k])
            shown = states[2, k] + t * (states[2, k + 1] - states[2, k])
            met = states[3, k] + t * (states[3, k + 1] - states[3, k])
            amount = over * max(max(opened, closing), shown * beyond)
            dark = seam * closing * met
            for c in range(3):
                mixed = skin[y, x, c] + amount * (lip[y, x, c] - skin[y, x, c])
                out[y, x, c] = mixed * (np.float32(1.0) - dark * darkening[c])
            out[y, x, 3] = skin[y, x, 3] + amount * (lip[y, x, 3] - skin[y, x, 3])
