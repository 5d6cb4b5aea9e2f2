"""A photo with what belongs to it, for the renderer's tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.face3d.models.linear_model import FaceModel
from emotalk_cli.schema import FaceTrack


@dataclass(frozen=True)
class Person:
    photo: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    still: FaceTrack
    model: FaceModel

    def expression(self, **units: float) -> NDArray[np.float32]:
        """The photo's expression with some units set; a name without a side sets both sides."""
        values = self.still.expression[0].copy()
        for name, value in units.items():
            for side in ("", "Left", "Right"):
                if name + side in self.model.expression_names:
                    values[self.model.unit_index(name + side)] = value
        return values
