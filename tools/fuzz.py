"""Feed damaged files to every reader: `python -m tools.fuzz --each 300`.

Each input is read in a child process that may use 3 GiB and 30 s. A reader may read it or refuse
it with an EmotalkError; any other exception, a hang, a crash, too much memory, and a file left
behind are faults. Prints a table per reader, and exits with 1 where there was a fault.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from emotalk_cli.errors import EmotalkError
from tools.fuzz_readers import READERS, Reader

TIMEOUT_S = 30.0
START_S = 60.0
"""The first input of a child also pays for its imports."""
MEMORY_BYTES = 3 << 30
EXTREMES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
FAULTS = ("bug", "hang", "crash", "memory", "leftover")


def main() -> int:
    """Fuzz the readers asked for; the exit code says whether all is well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--each", type=int, default=300, help="inputs per reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="one reader's name")
    parser.add_argument("--keep", type=Path, help="folder for inputs that showed a fault")
    options = parser.parse_args()
    faults = 0
    print(f"{'reader':<11} inputs   read refused  " + "  ".join(FAULTS))
    for reader in READERS:
        if options.only in ("", reader.name):
            counts = fuzz(reader, options.each, options.seed, options.keep)
            faults += sum(counts[kind] for kind in FAULTS)
            row = "  ".join(f"{counts[kind]:>{len(kind)}}" for kind in FAULTS)
            total = sum(counts.values())
            print(f"{reader.name:<11} {total:>6} {counts['read']:>6} {counts['refused']:>7}  {row}")
    return 1 if faults else 0


def fuzz(reader: Reader, count: int, seed: int, keep: Path | None = None) -> Counter[str]:
    """Give `count` inputs to a reader: its nasties, then good files damaged at random."""
    rng = np.random.default_rng((seed, READERS.index(reader)))
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="emotalk-fuzz-") as name, Child(reader) as child:
        folder = Path(name)
        for part in ("good", "nasty", "input"):
            (folder / part).mkdir()
        good = [(path, path.read_bytes()) for path in reader.seeds(folder / "good")]
        inputs = reader.nasties(folder / "nasty")[:count]
        for number in range(count):
            if number < len(inputs):
                path = inputs[number]
            else:
                source, content = good[rng.integers(len(good))]
                path = folder / "input" / f"{number}{source.suffix}"
                path.write_bytes(damaged(content, rng))
            before = set(folder.rglob("*"))
            outcome, told = child.read(path)
            if set(folder.rglob("*")) - before:
                outcome, told = "leftover", str(set(folder.rglob("*")) - before)
            counts[outcome] += 1
            if outcome in FAULTS:
                print(f"{reader.name}: {outcome}: {path.name}: {told}", file=sys.stderr)
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{reader.name}-{outcome}-{path.name}")
            if path.parent.name == "input":
                path.unlink()
    return counts


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy with some damage: bits, extremes, cuts, repeats, swaps or zeroes."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        if not data:
            break
        at = int(rng.integers(len(data)))
        # Headers decide how a file is read: half of the damage goes there.
        at = at % min(len(data), 512) if rng.random() < 0.5 else at
        length = int(rng.integers(1, 64))
        kind = rng.integers(7)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = EXTREMES[rng.integers(len(EXTREMES))]
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = data[at : at + length] * int(rng.integers(1, 50))
        elif kind == 4:
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif kind == 5:
            data[at : at + 4] = b"\xff\xff\xff\x7f"
        else:
            del data[at : at + length]
    return bytes(data)


class Child:
    """A process that reads one file after another; replaced when it hangs or dies."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        index = READERS.index(self._reader)
        self._process = context.Process(target=_serve, args=(other, index), daemon=True)
        self._process.start()
        other.close()
        self._wait_s = START_S

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def read(self, path: Path) -> tuple[str, str]:
        """What became of one input, and what was said."""
        self._pipe.send(path)
        if self._pipe.poll(self._wait_s):
            try:
                outcome: tuple[str, str] = self._pipe.recv()
                self._wait_s = TIMEOUT_S
            except EOFError:
                self._process.join()
                outcome = ("crash", f"exit code {self._process.exitcode}")
        else:
            outcome = ("hang", f"over {self._wait_s:g} s")
        if outcome[0] in ("crash", "hang"):
            self._end()
            self._start()
        return outcome


def _serve(pipe: Connection, index: int) -> None:
    """Main function of the child."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + (8 << 30), MEMORY_BYTES + (8 << 30)))
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        pipe.send(_attempt(READERS[index], path))


def _attempt(reader: Reader, path: Path) -> tuple[str, str]:
    try:
        reader.read(path)
        outcome = ("read", "")
    except EmotalkError as error:
        outcome = (
            ("refused", error.problem)
            if error.problem.strip()
            else ("bug", "an error without words")
        )
    except MemoryError:
        outcome = ("memory", "MemoryError")
    except Exception as error:  # noqa: BLE001 - finding them is what this is for
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome = ("bug", f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})")
    peaks = [
        resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    if max(peaks) * 1024 > MEMORY_BYTES:
        return "memory", f"{max(peaks) / 1024:.0f} MiB at its peak"
    return outcome


if __name__ == "__main__":
    sys.exit(main())
