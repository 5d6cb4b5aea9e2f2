"""The page's layout and server: gradio, on this machine alone, with nothing sent elsewhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emotalk_cli.decoders.direction.emotions import EMOTIONS
from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.safe_files import temporary_folder
from emotalk_cli.stages.generate import DEMO_FACE, DEMO_SPEECH
from emotalk_cli.stages.video_options import VideoOptions
from emotalk_cli.ui.work import KEYS, Key, make_video, timeline, told

HOST, PORT = "127.0.0.1", 7860
MAX_UPLOAD = "100mb"
MAX_WAITING = 8
"""So many people may wait for their video; more are asked to come back."""
MAX_TIMELINE_S = 60.0
SIZES_PX = (256, 512, 768, 1024)
DEFAULT_SIZE_PX = 512
NARROW_PX, WIDE_PX = 270, 340
"""Least widths of the columns: all three stand side by side from 1000 px on."""
FONT = ("system-ui", "sans-serif")
"""A font of the browser's own: the theme's usual one would be fetched from elsewhere."""
ABOUT = """# emotalk
A portrait, a recording and an emotion become a talking video, on this machine; nothing is sent
anywhere. Use faces and voices only of people who have agreed. Every video says in its metadata
that it is synthetic."""


def serve(
    *,
    host: str = HOST,
    port: int = PORT,
    watermark: bool = True,
    debug: bool = False,
    on_ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Show the page at http://HOST:PORT until Ctrl-C; `on_ready` is told its address.

    Uploads and results live in a temporary folder that is removed at the end; no other file can be
    asked for. `debug` shows tracebacks of what the page only tells. Raises EmotalkError where
    gradio is missing or the port is taken.
    """
    _require_free(host, port)
    with temporary_folder() as folder:
        _keep_to_ourselves(str(folder))
        page = build(folder, watermark=watermark, debug=debug)
        gradio = _gradio()
        page.queue(max_size=MAX_WAITING, default_concurrency_limit=1)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                share=False,
                inbrowser=False,
                quiet=True,
                prevent_thread_lock=True,
                max_file_size=MAX_UPLOAD,
                allowed_paths=[],
                footer_links=[],
                app_kwargs={"middleware": _known_hosts(host)},
                theme=gradio.themes.Base(font=FONT, font_mono=FONT),
            )
        except OSError as error:  # somebody else was faster, or gradio asks for more
            raise _not_served(host, port, "gradio could not start its server") from error
        on_ready(f"http://{_in_url(host)}:{port}")
        page.block_thread()


def _require_free(host: str, port: int) -> None:
    """Raise EmotalkError now where gradio, after its long start, could not listen."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise _not_served(host, port, (error.strerror or str(error)).lower()) from error


def _not_served(host: str, port: int, reason: str) -> EmotalkError:
    return EmotalkError(
        f"The page cannot be served at {_in_url(host)}:{port}: {reason}.",
        f"Choose another port, such as --port {port % 65535 + 1}, or check --host.",
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _known_hosts(host: str) -> list[Any]:
    """On this machine alone, only its own names are answered: other pages cannot reach in."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        return []
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    return [Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])]


def _keep_to_ourselves(folder: str) -> None:
    """Before gradio is loaded: no analytics, no look for updates, files in one folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = folder


def _gradio() -> Any:
    try:
        import gradio
    except ImportError as error:
        raise EmotalkError("The page needs gradio.", f"{install_line('ui')}.") from error
    return gradio


def build(folder: Path, *, watermark: bool = True, debug: bool = False) -> Any:
    """The page (gradio Blocks); its results go into `folder`."""
    gradio = _gradio()
    with gradio.Blocks(title="emotalk", analytics_enabled=False, fill_width=True) as page:
        gradio.Markdown(ABOUT)
        with gradio.Row():
            with gradio.Column(min_width=NARROW_PX):
                photo = gradio.Image(
                    type="filepath", label="Portrait", sources=["upload", "webcam"], height=320
                )
                recording = gradio.Audio(
                    type="filepath",
                    label="Speech",
                    sources=["upload", "microphone"],
                    buttons=["download"],
                )
                _leave_as_it_is(photo)
                gradio.Examples([[str(DEMO_FACE), str(DEMO_SPEECH)]], [photo, recording])
            with gradio.Column(min_width=WIDE_PX):
                keys = [value for number in range(KEYS) for value in _key(gradio, number)]
            with gradio.Column(min_width=NARROW_PX):
                button = gradio.Button("Make the video", variant="primary")
                video = gradio.Video(label="Video", autoplay=True, height=320)
                files = gradio.Files(label="Download: video and motion", interactive=False)
        with gradio.Accordion("Direction", open=False), gradio.Row():
            direction = _direction(gradio)

        watched = gradio.Progress()

        def run(*values: Any, progress: Any = watched) -> tuple[str, list[str]]:
            """Make the video: its path, and what can be downloaded."""
            photo_path, recording_path, *rest = values
            picked = [Key(*rest[4 * n : 4 * n + 4]) for n in range(KEYS)]
            try:
                options = _options(picked, rest[4 * KEYS :], watermark=watermark)
                made = make_video(
                    photo_path,
                    recording_path,
                    options,
                    folder,
                    lambda share, text: progress(share, desc=text),
                )
            except Exception as error:  # gradio would print it and tell nobody
                text = told(error, folder, (photo_path, recording_path))
                raise gradio.Error(text, print_exception=debug) from error
            return str(made[0]), [str(path) for path in made]

        inputs = [photo, recording, *keys, *direction]
        button.click(run, inputs, [video, files], api_name="generate")
    return page


def _leave_as_it_is(photo: Any) -> None:
    """Keep gradio from opening the upload: `generate` says better what is wrong with a picture."""
    usual = photo.preprocess
    photo.preprocess = lambda sent: sent.path if sent and sent.path else usual(sent)


def _key(gradio: Any, number: int) -> tuple[Any, ...]:
    """One moment of the emotion: whether it counts, when, which emotion, how strong."""
    first = number == 0
    with gradio.Group():
        with gradio.Row():
            name = "At the start" if first else f"Change {number}"
            used = gradio.Checkbox(first, label=name, min_width=120)
            emotion = gradio.Dropdown(
                list(EMOTIONS),
                value="happy" if first else "neutral",
                label="Emotion",
                min_width=120,
            )
        with gradio.Row():
            time = gradio.Slider(
                0,
                MAX_TIMELINE_S,
                value=2.0 * number,
                step=0.1,
                label="from,\N{NO-BREAK SPACE}s",
                visible=not first,
            )
            strength = gradio.Slider(0, 1, value=1.0, step=0.05, label="strength")
    return used, time, emotion, strength


def _direction(gradio: Any) -> tuple[Any, ...]:
    return (
        gradio.Slider(0, 2, value=1.0, step=0.05, label="Upper face"),
        gradio.Slider(0, 2, value=1.0, step=0.05, label="Lower face"),
        gradio.Slider(0, 1, value=1.0, step=0.05, label="Head motion"),
        gradio.Dropdown(["wander", "camera"], value="wander", label="Gaze"),
        gradio.Dropdown(list(SIZES_PX), value=DEFAULT_SIZE_PX, label="Size, px"),
        gradio.Dropdown(["full", "head", "face"], value="full", label="Crop"),
        gradio.Number(0, label="Seed", precision=0),
    )


def _options(keys: list[Key], values: list[Any], *, watermark: bool) -> VideoOptions:
    upper, lower, head, gaze, size, crop, seed = values
    return VideoOptions(
        emotion=timeline(keys),
        upper_strength=upper,
        lower_strength=lower,
        head_motion=head,
        gaze=gaze,
        size_px=int(size or DEFAULT_SIZE_PX),
        crop=crop,
        seed=int(seed or 0),
        watermark=watermark,
    )
