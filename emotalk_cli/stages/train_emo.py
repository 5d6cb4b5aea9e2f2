"""The stage train-emo: tracks and audio features -> the emotion decoder."""

from __future__ import annotations

from pathlib import Path

from emotalk_cli.progress import Progress, Quiet


def train_emo(
    tracks: Path,
    audio: Path,
    out: Path,
    *,
    config: Path | None = None,
    steps: int | None = None,
    overfit: bool | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = Quiet(),
) -> Path:
    """Train emotion and prosody -> face, head and colour of the mouth, on paired records.

    tracks, audio: folders of FaceTrack and AudioFeatures records of the same clips. config: a
    YAML file of `decoders.config.TrainConfig`, over which `steps` and `overfit` take precedence.
    Returns `out`, the checkpoint folder; raises EmotalkError where something does not fit.
    """
    from emotalk_cli.decoders.config import read_config
    from emotalk_cli.decoders.experiment import train
    from emotalk_cli.face3d.default_model import load_default_face_model

    return train(
        "emo",
        tracks,
        audio,
        out,
        model=load_default_face_model(),
        config=read_config(config, steps=steps, overfit=overfit),
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
