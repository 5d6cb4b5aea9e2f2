"""Live Link Face's CSV: the 52 ARKit units and the angles of head and eyes, a row per frame.

Columns: Timecode (hh:mm:ss:frame.part), BlendshapeCount (61), the units in the app's own order and
PascalCase, then yaw, pitch and roll of the head, of the left and of the right eye in radians.

Epic documents no signs, and they have changed with the app and the way the phone is held; here:
yaw to the subject's left, pitch downwards, roll to the subject's left shoulder.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.safe_files import atomic_path

Float = NDArray[np.float32]

UNITS = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight",
    "eyeLookOutRight", "eyeLookUpRight", "eyeSquintRight", "eyeWideRight", "jawForward",
    "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight",
    "mouthLeft", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft",
    "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
ANGLES = (
    "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
    "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
)  # fmt: skip
HEADER = ("Timecode", "BlendshapeCount", *(u[:1].upper() + u[1:] for u in UNITS), *ANGLES)
MOST_RAD = float(np.pi)
"""No head turns further: a file with larger angles gives them in degrees."""
CLOCKS_HZ = (24, 25, 30, 48, 50, 60, 120)
DAY_S = 86400
MAX_SHOWN = 60
"""Characters of a foreign header that are shown."""
SPIKE_FRAMES = 3
ABSURD = 1e6
"""No unit and no angle is as large."""
MIDNIGHT = "00:00:00:00"
_TIMECODE = re.compile(r"(\d{1,3}):(\d{1,3}):(\d{1,3}):(\d{1,3}(?:\.\d+)?)")


@dataclass(frozen=True)
class Capture:
    """Unit values (T, U) in 0..1 at `times_s` (T,), rising from 0; names of the U units.

    `angles_rad` (T, 9): ANGLES, 0 where a file has none. `start`: the first frame's time code.
    `notes`: what people should know of the file.
    """

    names: tuple[str, ...]
    values: Float
    times_s: NDArray[np.float64]
    angles_rad: Float = field(default_factory=lambda: np.zeros((0, len(ANGLES)), np.float32))
    start: str = MIDNIGHT
    notes: tuple[str, ...] = ()

    def at_rate(self, fps: float, names: Sequence[str]) -> tuple[Float, NDArray[np.bool_]]:
        """Values (T, len(names)) at k / fps and whether each was measured (T,).

        Between frames by linear interpolation; a unit that was not captured is 0; a moment inside
        a gap of more than 4 frames of the capture is not valid.
        """
        moments = self._moments(fps)
        known = {name.casefold(): column for column, name in enumerate(self.names)}
        result = np.zeros((moments.size, len(names)), np.float32)
        for unit, name in enumerate(names):
            column = known.get(name.casefold())
            if column is not None:
                result[:, unit] = np.interp(moments, self.times_s, self.values[:, column])
        steps = np.diff(self.times_s)
        after = np.clip(np.searchsorted(self.times_s, moments), 1, steps.size)
        return np.clip(result, 0.0, 1.0), steps[after - 1] <= 4 * np.median(steps)

    def head_at_rate(self, fps: float) -> Float:
        """Rotation vectors (T, 3) rad of the head at k / fps, x to the subject's left, y up."""
        from scipy.spatial.transform import Rotation

        moments = self._moments(fps)
        if not len(self.angles_rad):
            return np.zeros((moments.size, 3), np.float32)
        yaw, pitch, roll = (
            np.interp(moments, self.times_s, np.unwrap(self.angles_rad[:, column]))
            for column in range(3)
        )
        turned = Rotation.from_euler("YXZ", np.stack([yaw, pitch, -roll], axis=1))
        return np.asarray(turned.as_rotvec(), np.float32)

    def _moments(self, fps: float) -> NDArray[np.float64]:
        return np.asarray(np.arange(int(self.times_s[-1] * fps + 1e-6) + 1) / fps)


def head_angles(turns_rad: Float) -> Float:
    """Rotation vectors (T, 3) rad -> HeadYaw, HeadPitch, HeadRoll (T, 3) rad."""
    from scipy.spatial.transform import Rotation

    yaw, pitch, roll = Rotation.from_rotvec(turns_rad).as_euler("YXZ").T
    return np.asarray(np.stack([yaw, pitch, -roll], axis=1), np.float32)


def read_live_link(path: Path) -> Capture:
    """Read a CSV; a cell that is no number becomes nan, a row that is none is left out and noted.

    Raises ValueError, OSError or csv.Error where the file is no such CSV.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if row]
    if [name.casefold() for name in header[:2]] != [name.casefold() for name in HEADER[:2]]:
        raise ValueError(
            f"its first line must name the columns {', '.join(HEADER[:4])}, ..., "
            f"{HEADER[-1]}, not {', '.join(header)[:MAX_SHOWN] or 'nothing'}"
        )
    last = next((i for i, name in enumerate(header) if name.startswith("Head")), len(header))
    seen = [(line, row) for line, row in rows if len(row) < 2 or row[1].strip() != "0"]
    full = [row for _, row in seen if _is_frame(row, last)]
    odd = [line for line, row in seen if not _is_frame(row, last)]
    if odd and not full:
        raise ValueError(
            f"line {odd[0]} does not have a time code (hh:mm:ss:frame) and {last - 2} values, and "
            "no other line has"
        )
    if not full:
        raise ValueError("no frame shows a face")
    notes = [
        f"{len(odd)} of {len(seen)} lines are no frames and left out, such as line {number}."
        for number in odd[:1]
    ]
    return Capture(
        names=tuple(name[:1].lower() + name[1:] for name in header[2:last]),
        values=_numbers(row[2:last] for row in full),
        times_s=_times_s([row[0] for row in full]),
        angles_rad=_angles(header[last:], full, last),
        start=full[0][0].strip(),
        notes=tuple(notes),
    )


def _is_frame(row: Sequence[str], last: int) -> bool:
    return len(row) >= last and _TIMECODE.fullmatch(row[0].strip()) is not None


def _numbers(rows: Iterable[Sequence[str]]) -> Float:
    values = np.array([_floats(row) for row in rows])
    return np.where(np.abs(values) < ABSURD, values, np.nan).astype(np.float32)


def _floats(cells: Sequence[str]) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError:
        return [_float(cell) for cell in cells]


def _float(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _times_s(codes: Sequence[str]) -> NDArray[np.float64]:
    """Time codes -> seconds since the first, over midnight too."""
    found = [_TIMECODE.fullmatch(code.strip()) for code in codes]
    parts = np.array([[float(part) for part in code.groups()] for code in found if code])
    clock_hz = next((hz for hz in CLOCKS_HZ if hz > parts[:, 3].max()), CLOCKS_HZ[-1])
    times = parts[:, :3] @ (3600.0, 60.0, 1.0) + parts[:, 3] / clock_hz
    times += DAY_S * np.cumsum(np.diff(times, prepend=times[0]) < -DAY_S / 2)
    return np.asarray(times - times[0])


def _angles(names: Sequence[str], rows: Sequence[Sequence[str]], first: int) -> Float:
    """ANGLES (T, 9) rad from the column `first` on; 0 where a file has others, nan if impossible.

    One wrong cell does not decide whether they are degrees.
    """
    from scipy.ndimage import median_filter

    if tuple(names) != ANGLES:
        return np.zeros((len(rows), len(ANGLES)), np.float32)
    padding = [""] * len(ANGLES)
    angles = _numbers([*row[first:], *padding][: len(ANGLES)] for row in rows)
    size = np.abs(np.nan_to_num(angles, posinf=0.0, neginf=0.0))
    if median_filter(size, (SPIKE_FRAMES, 1)).max() > MOST_RAD:
        angles = np.radians(angles)
    return np.where(np.abs(angles) <= MOST_RAD, angles, np.nan).astype(np.float32)


def write_live_link(
    path: Path, values: Float, angles_rad: Float, fps: int, start: str = MIDNIGHT
) -> None:
    """Write values (T, 52) of UNITS in 0..1 and ANGLES (T, 9) in rad, `fps` rows a second.

    The first row has the time code `start`, hh:mm:ss:frame. Raises EmotalkError where it is none
    or `fps` is no rate that time codes count in.
    """
    if fps not in CLOCKS_HZ:
        listed = ", ".join(map(str, CLOCKS_HZ))
        raise EmotalkError(f"Time codes do not count {fps} frames a second.", f"Known: {listed}.")
    first = _frame_number(start, fps)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(HEADER)
    for row, (units, angles) in enumerate(zip(values, angles_rad, strict=True)):
        numbers = [f"{number:.6f}" for number in (*units, *angles)]
        writer.writerow([_timecode(first + row, fps), len(numbers), *numbers])
    with atomic_path(path) as temporary:
        temporary.write_text(table.getvalue(), encoding="utf-8", newline="")


def _frame_number(timecode: str, fps: int) -> int:
    """Time code -> frames since midnight."""
    code = _TIMECODE.fullmatch(timecode.strip())
    hours, minutes, seconds, frame = (float(part) for part in code.groups()) if code else (0,) * 4
    if not code or hours > 23 or minutes > 59 or seconds > 59 or frame >= fps:
        raise EmotalkError(
            f"'{timecode}' is no time code at {fps} frames a second.",
            f"Write hh:mm:ss:frame such as 01:00:00:00, the frame below {fps}.",
        )
    return int((hours * 60 + minutes) * 60 + seconds) * fps + int(frame)


def _timecode(frame: int, fps: int) -> str:
    seconds, rest = divmod(frame % (DAY_S * fps), fps)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}:{rest:02d}.000"
