"""The options of `generate`, one name each: what people type, and the help they see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emotalk_cli.emotion_names import parse_strength

DIRECTION, PICTURE, MANY = "Direction", "Picture", "Many videos"
"""Groups of options in the help."""

Audio = Annotated[
    Path | None, typer.Option(help="Speech: wav, mp3, m4a, flac, a video, ... or - for stdin.")
]
Face = Annotated[
    Path | None, typer.Option(help="Portrait: jpg, png, webp, ...; of a video its best frame.")
]
VideoOutput = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help=r"The mp4, or - for stdout; of a manifest the folder "
        r"\[default: AUDIO_FACE_EMOTION.mp4, videos]",
    ),
]
Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="With -o -: each frame's rgb24 pixels as soon as it is drawn, no mp4."
    ),
]
Long = Annotated[bool, typer.Option("--long", help="Allow recordings of over 15 minutes.")]

Manifest = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=MANY,
        help="CSV with a video a row: audio, face and any option as columns.",
    ),
]
KeepMotion = Annotated[
    bool,
    typer.Option(
        "--keep-motion",
        rich_help_panel=MANY,
        help="With --manifest: NAME.h5 beside each video.",
    ),
]

Emotion = Annotated[
    str,
    typer.Option(
        rich_help_panel=DIRECTION,
        help='happy, "happy:0.6,surprised:0.3", "0 neutral, 2.5 sad:0.8" or a YAML.',
    ),
]
Intensity = Annotated[
    float,
    typer.Option(
        rich_help_panel=DIRECTION,
        parser=lambda told: parse_strength(str(told)),
        metavar="<strength>",
        help="0 (neutral) to 1 (full), a percentage, or level_1 to level_3.",
    ),
]
UpperStrength = Annotated[
    float,
    typer.Option(
        rich_help_panel=DIRECTION,
        help="How far brows, lids and cheeks move: 0 to 2, 1 as decoded.",
    ),
]
LowerStrength = Annotated[
    float,
    typer.Option(
        rich_help_panel=DIRECTION, help="How far mouth and jaw move: 0 to 2, 1 as decoded."
    ),
]
HeadMotion = Annotated[
    float, typer.Option(rich_help_panel=DIRECTION, help="0 (holds still) to 1 (as decoded).")
]
BlinkRate = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=DIRECTION, help=r"Blinks a minute, 0 to 60 \[default: as decoded]"
    ),
]
Gaze = Annotated[
    str,
    typer.Option(
        rich_help_panel=DIRECTION, help="wander, camera, or YAW,PITCH in degrees, such as 8,-3."
    ),
]
Pose = Annotated[
    Path | None,
    typer.Option(rich_help_panel=DIRECTION, help="Track whose head motion to take (.h5)."),
]
Style = Annotated[
    Path | None,
    typer.Option(rich_help_panel=DIRECTION, help="Track whose manner to take: amplitude, tempo."),
]
Motion = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=DIRECTION,
        help="Draw this motion instead: a track (.h5) or a Live Link Face CSV.",
    ),
]
LipDecoder = Annotated[
    Path | None,
    typer.Option(rich_help_panel=DIRECTION, help="Folder of train-lip or train-single."),
]
EmoDecoder = Annotated[
    Path | None, typer.Option(rich_help_panel=DIRECTION, help="Folder of train-emo.")
]

Size = Annotated[
    int | None,
    typer.Option(
        rich_help_panel=PICTURE,
        help=r"Longer side in px, at most the photo's \[default: up to 1024]",
    ),
]
Crop = Annotated[str, typer.Option(rich_help_panel=PICTURE, help="full, head or face.")]
FrameRate = Annotated[float, typer.Option(rich_help_panel=PICTURE, help="Frames a second.")]
MotionOut = Annotated[
    Path | None,
    typer.Option(rich_help_panel=PICTURE, help="Also write the motion, a FaceTrack (.h5)."),
]
Sheet = Annotated[
    Path | None, typer.Option(rich_help_panel=PICTURE, help="Also write a sheet of frames (.png).")
]
Renderer = Annotated[
    str, typer.Option(rich_help_panel=PICTURE, help="portrait, mesh or pytorch3d.")
]
Watermark = Annotated[
    bool,
    typer.Option(
        "--watermark", rich_help_panel=PICTURE, help="Draw a small mark that says AI-generated."
    ),
]
ContentCredentials = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="<cert> <key>",
        rich_help_panel=PICTURE,
        help="Sign (Content Credentials): certificate and key, PEM.",
    ),
]
