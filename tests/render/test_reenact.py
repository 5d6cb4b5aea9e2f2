"""The tool that re-enacts real video, on a video that is made here."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from emotalk_cli.render.portrait import PortraitRenderer
from emotalk_cli.render.video import VideoWriter
from tests.render.render_person import Person
from tools.reenact import METRICS, SYSTEMS, reenact

FRAMES = 14


@pytest.fixture(scope="module")
def spoken(person: Person, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The person opens the mouth and turns the head a little."""
    drawn = PortraitRenderer(
        person.photo, person.landmarks, person.still, person.model, size_px=320
    )
    path = tmp_path_factory.mktemp("video") / "spoken.mp4"
    with VideoWriter(path, drawn.width_px, drawn.height_px, 25.0) as writer:
        for k in range(FRAMES):
            pose = person.still.head_pose[0].copy()
            pose[1] += 0.006 * k
            opened = 0.5 * np.sin(np.pi * k / (FRAMES - 1))
            writer.write(drawn.frame(person.expression(jawOpen=opened), pose))
    return path


def test_the_renderer_beats_the_still_picture(spoken: Path, tmp_path: Path) -> None:
    values = reenact(spoken, "portrait", tmp_path)
    for metric in ("M-LMD", "F-LMD"):
        assert values["renderer", metric] < 0.6 * values["still", metric]
        assert values["tracker", metric] < values["renderer", metric]
    for metric in ("PSNR", "SSIM"):
        assert values["renderer", metric] > values["still", metric]
    assert {metric for _, metric in values} == set(METRICS)
    assert {system for system, _ in values} == set(SYSTEMS)
    sheet = cv2.imread(str(tmp_path / "spoken.png"))
    assert sheet is not None
