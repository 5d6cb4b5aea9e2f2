"""What the fuzzer feeds: per kind of file a reader, good files to damage, and known nasties."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from emotalk_cli.media import ffmpeg_binary, read_frames
from emotalk_cli.schema import AudioFeatures, FaceTrack, Labels, MadeBy
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH
from emotalk_cli.stages.motion_making import WEIGHTS

MADE_BY = MadeBy("fuzz", "0", {}, 0, {})


@dataclass(frozen=True)
class Reader:
    """Reads one kind of file; `seeds` makes good files in a folder, `nasties` bad ones."""

    name: str
    read: Callable[[Path], object]
    seeds: Callable[[Path], list[Path]]
    nasties: Callable[[Path], list[Path]]


def _photo(path: Path) -> None:
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    require_face(read_photo(path), path)


def _photo_seeds(folder: Path) -> list[Path]:
    photo = Image.open(DEMO_FACE).convert("RGB").resize((256, 256))
    names = ("a.jpg", "a.png", "a.webp", "a.bmp", "a.tiff", "a.gif")
    for name in names:
        photo.save(folder / name)
    return [folder / name for name in names]


def _photo_nasties(folder: Path) -> list[Path]:
    """Bombs, absurd sizes, and files that are something else."""
    huge = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + huge + b"\0\0\0\0"
    files = {
        "huge.png": png,
        "empty.jpg": b"",
        "one-byte.jpg": b"\xff",
        "text.png": b"no picture",
        "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'><use href='/etc/passwd'/></svg>",
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        "nul\nname.png": png,
        "-rf.png": png,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    bomb = folder / "bomb.png"
    Image.new("1", (14_000, 14_000)).save(bomb)
    thin = folder / "thin.png"
    Image.new("RGB", (20_000, 1)).save(thin)
    return [*(folder / name for name in files), bomb, thin]


def _sound(path: Path) -> None:
    from emotalk_cli.audio.waveform import load_waveform

    load_waveform(path)


def _sound_seeds(folder: Path) -> list[Path]:
    names = ("a.wav", "a.mp3", "a.flac", "a.ogg", "a.m4a")
    for name in names:
        _ffmpeg("-i", str(DEMO_SPEECH), "-t", "1.2", str(folder / name))
    return [folder / name for name in names]


def _sound_nasties(folder: Path) -> list[Path]:
    """Playlists that name other files, endless headers, and sound that is none."""
    nan = np.full(16_000, np.nan, np.float32).tobytes()
    loud = np.full(16_000, 3e38, np.float32).tobytes()
    files = {
        "list.wav": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "url.m3u8": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
        "empty.wav": b"",
        "riff.wav": b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0",
        "nan.wav": _float_wav(nan),
        "loud.wav": _float_wav(loud),
        "rate.wav": _float_wav(nan[:4000], rate_hz=2**31 - 1),
        "silent.wav": _float_wav(bytes(64_000)),
        "-i.wav": b"x",
        "a:b.wav": b"x",
        "per%03d.wav": b"x",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _float_wav(samples: bytes, rate_hz: int = 16_000) -> bytes:
    form = struct.pack("<HHIIHH", 3, 1, rate_hz, min(2**32 - 1, rate_hz * 4), 4, 32)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(samples))
    return b"RIFF" + struct.pack("<I", len(head) + len(samples)) + head + samples


def _video(path: Path) -> None:
    for number, _ in enumerate(read_frames(path, 25.0)):
        if number > 50:
            break


def _video_seeds(folder: Path) -> list[Path]:
    names = ("a.mp4", "a.mkv", "a.avi", "a.webm", "a.flv")
    source = "testsrc=size=64x48:rate=25:duration=0.4"
    for name in names:
        _ffmpeg("-f", "lavfi", "-i", source, str(folder / name))
    return [folder / name for name in names]


def _video_nasties(folder: Path) -> list[Path]:
    files = {
        "list.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "empty.mp4": b"",
        "ftyp.mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"\0\0\0\1moov" + b"\xff" * 64,
        "text.mkv": b"\x1a\x45\xdf\xa3" + b"\xff" * 200,
        "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _record(path: Path) -> None:
    from emotalk_cli.stages.inspect import inspect

    inspect(path)


def _track() -> FaceTrack:
    frames = 6
    return FaceTrack(
        made_by=MADE_BY,
        labels=Labels(clip_id="a"),
        shape=np.zeros(4, np.float32),
        expression=np.zeros((frames, 2), np.float32),
        head_pose=np.tile(np.array([0, 0, 0, 0, 0, -1], np.float32), (frames, 1)),
        camera=np.array([500, 50, 50, 100, 100], np.float32),
        residual_px=np.zeros(frames, np.float32),
        valid=np.ones(frames, bool),
        face_model="m",
        face_model_sha256="0" * 64,
        expression_names=("jawOpen", "mouthClose"),
        fps=25.0,
    )


def _record_seeds(folder: Path) -> list[Path]:
    from emotalk_cli import store
    from emotalk_cli.audio.features import extract_features
    from emotalk_cli.audio.mel_encoder import MelEncoder

    store.write(_track(), folder / "track.h5")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    features: AudioFeatures = extract_features(noise, MelEncoder(), made_by=MADE_BY)
    store.write(features, folder / "audio.h5")
    return [folder / "track.h5", folder / "audio.h5"]


def _record_nasties(folder: Path) -> list[Path]:
    """Links out of the file and in circles, absurd shapes, odd types, other versions, NaN."""
    (good,) = _record_seeds(folder)[:1]
    secret = folder / "other.h5"
    with h5py.File(secret, "w") as file:
        file["expression"] = np.zeros((6, 2), np.float32)

    def links_out(file: h5py.File) -> None:
        file["expression"] = h5py.ExternalLink("other.h5", "expression")

    def loops(file: h5py.File) -> None:
        file["expression"] = h5py.SoftLink("/expression")

    def absurd(file: h5py.File) -> None:
        file.create_dataset("expression", (2**40, 2), "f4", chunks=(1024, 2), compression="gzip")

    def objects(file: h5py.File) -> None:
        file.create_dataset("expression", (6, 2), h5py.string_dtype())

    def empty(file: h5py.File) -> None:
        file.create_dataset("expression", (0, 2), "f4")

    def not_numbers(file: h5py.File) -> None:
        file["expression"] = np.full((6, 2), np.nan, np.float32)

    def raw(file: h5py.File) -> None:
        dataset = file.create_dataset("expression", (6, 2), "f4", external=[("/etc/passwd", 0, 48)])
        del dataset

    def group(file: h5py.File) -> None:
        file.create_group("expression")

    made = []
    for change in (links_out, loops, absurd, objects, empty, not_numbers, raw, group):
        path = folder / f"{change.__name__}.h5"
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            del file["expression"]
            change(file)
        made.append(path)
    for name, value in {"version": 2**31, "record": "Nothing", "fps": -5.0, "made_by": "{"}.items():
        path = folder / f"attribute-{name}.h5"
        shutil.copy(good, path)
        with h5py.File(path, "r+") as file:
            file.attrs[name] = value  # a text of variable length
        made.append(path)
    return made


def _yaml(path: Path) -> None:
    from emotalk_cli.decoders.direction.emotions import parse_emotion
    from emotalk_cli.decoders.training.config import read_config
    from emotalk_cli.errors import EmotalkError

    refused = []
    for read in (lambda: parse_emotion(str(path)), lambda: read_config(path)):
        try:
            read()
        except EmotalkError as error:
            refused.append(error)
    if len(refused) == 2:
        raise refused[0]


def _yaml_seeds(folder: Path) -> list[Path]:
    (folder / "keys.yaml").write_text("0: neutral\n2.5: happy:0.8\n6: sad:0.5,angry:0.2\n")
    (folder / "train.yaml").write_text("steps: 10\nnetwork:\n  hidden: 32\nlosses: {gap: 0.1}\n")
    return [folder / "keys.yaml", folder / "train.yaml"]


def _yaml_nasties(folder: Path) -> list[Path]:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    files = {
        "python.yaml": b"!!python/object/apply:os.system [id]",
        "laughs.yaml": laughs.encode(),
        "deep.yaml": b"[" * 5000,
        "nul.yaml": b"a: \0",
        "latin.yaml": b"0: fr\xe9h",
        "infinite.yaml": b".inf: happy\n.nan: sad\n",
        "negative.yaml": b"-3: happy",
        "many.yaml": b"steps: 999999999999999999999999",
        "list.yaml": b"- happy",
        "date.yaml": b"2001-01-01: happy",
        "empty.yaml": b"",
        "self.yaml": b"&a {a: *a}",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _csv(path: Path) -> None:
    from emotalk_cli.datasets import manifest
    from emotalk_cli.errors import EmotalkError
    from emotalk_cli.stages.import_motion import read_motion
    from emotalk_cli.stages.video_options import VideoOptions
    from emotalk_cli.stages.video_rows import read_rows

    refused = []
    for read in (
        lambda: read_rows(path, VideoOptions()),
        lambda: manifest.find_clips(path),
        lambda: read_motion(path, 25.0),
    ):
        try:
            read()
        except EmotalkError as error:
            refused.append(error)
    if len(refused) == 3:
        raise refused[0]


def _csv_seeds(folder: Path) -> list[Path]:
    from emotalk_cli import live_link

    (folder / "jobs.csv").write_text("audio,face,name,intensity\na.wav,f.jpg,one,0.5\n" * 1)
    (folder / "clips.csv").write_text("path,speaker,emotion\na.mp4,s1,happy\nb.mp4,s2,sad\n")
    header = ",".join(
        ("Timecode", "BlendshapeCount", *(u[0].upper() + u[1:] for u in live_link.UNITS))
    )
    rows = "".join(f"00:00:00:{n:02d},52," + ",".join(["0.1"] * 52) + "\n" for n in range(4))
    (folder / "motion.csv").write_text(f"{header}\n{rows}")
    return [folder / name for name in ("jobs.csv", "clips.csv", "motion.csv")]


def _csv_nasties(folder: Path) -> list[Path]:
    head = b"audio,face,name\n"
    files = {
        "up.csv": head + b"a.wav,f.jpg,../../x\n",
        "root.csv": head + b"a.wav,f.jpg,/etc/x\n",
        "formula.csv": head + b"a.wav,f.jpg,=cmd|'/C calc'!A0\n",
        "nul.csv": head + b"a.wav,f.jpg,a\0b\n",
        "quotes.csv": head + b'"a.wav,f.jpg,"x',
        "wide.csv": head + b"," * 200_000 + b"\n",
        "long.csv": head + b"a" * 300_000 + b",f.jpg,x\n",
        "latin.csv": head + b"\xe9.wav,f.jpg,x\n",
        "twice.csv": b"audio,audio,face\na,b,c\n",
        "empty.csv": b"",
        "bom.csv": b"\xff\xfe" + head.decode().encode("utf-16-le"),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _checkpoint(path: Path) -> None:
    """Load a decoder whose weights or configuration are this file."""
    from emotalk_cli.decoders.checkpoint import load_decoder

    folder = path.parent / f"{path.name}.folder"
    shutil.copytree(WEIGHTS / "lip", folder)
    kind = "config.json" if path.suffix == ".json" else "model.safetensors"
    shutil.copy(path, folder / kind)
    try:
        load_decoder(folder)
    finally:
        shutil.rmtree(folder)


def _checkpoint_seeds(folder: Path) -> list[Path]:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(WEIGHTS / "lip" / name, folder / name)
    return [folder / "config.json", folder / "model.safetensors"]


def _checkpoint_nasties(folder: Path) -> list[Path]:
    def tensors(header: object, size: int | None = None) -> bytes:
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text

    one = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}
    files = {
        "empty.safetensors": b"",
        "long.safetensors": tensors({}, 2**63),
        "absurd.safetensors": tensors({"a": one}),
        "negative.safetensors": tensors({"a": one | {"shape": [-1]}}),
        "none.safetensors": tensors({}),
        "pickle.safetensors": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "empty.json": b"",
        "list.json": b"[]",
        "null.json": b'{"spec": null}',
        "deep.json": b"[" * 100_000,
    }
    good = json.loads((WEIGHTS / "lip" / "config.json").read_text(encoding="utf-8"))
    for key, value in {"hidden": 10**9, "encoder_blocks": -1, "kernel": 10**7, "window": 0}.items():
        network = good["spec"].get("network", good["spec"])
        changed = json.dumps(good).replace(f'"{key}": {network.get(key)}', f'"{key}": {value}')
        files[f"{key}.json"] = changed.encode()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *arguments], check=True)


READERS = (
    Reader("image", _photo, _photo_seeds, _photo_nasties),
    Reader("audio", _sound, _sound_seeds, _sound_nasties),
    Reader("video", _video, _video_seeds, _video_nasties),
    Reader("hdf5", _record, _record_seeds, _record_nasties),
    Reader("yaml", _yaml, _yaml_seeds, _yaml_nasties),
    Reader("csv", _csv, _csv_seeds, _csv_nasties),
    Reader("checkpoint", _checkpoint, _checkpoint_seeds, _checkpoint_nasties),
)
