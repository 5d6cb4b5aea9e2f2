"""doctor: it is right about what is there, what is missing and what is broken."""

import importlib.util
from pathlib import Path

import pytest

from emotalk_cli.stages import doctor as module
from emotalk_cli.stages.doctor import ABSENT, BROKEN, OK, doctor


def test_this_machine_is_healthy() -> None:
    found = doctor()
    assert found.healthy, [f for f in found.findings if f.state == BROKEN]
    named = {finding.name: finding for finding in found.findings}
    for name in (
        "emotalk",
        "torch",
        "ffmpeg",
        "libx264",
        "face model",
        "lip decoder",
        "landmarker",
    ):
        assert named[name].state == OK


def test_optional_parts_are_told_apart() -> None:
    for finding in doctor().findings:
        if finding.topic == "optional" and finding.name != "metric weights":
            there = importlib.util.find_spec(finding.name) is not None
            assert finding.state == (OK if there else ABSENT)
            assert there or finding.remedy


def test_broken_weights_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WEIGHTS", tmp_path)
    found = doctor()
    assert not found.healthy
    broken = {finding.name for finding in found.findings if finding.state == BROKEN}
    assert broken == {"lip decoder", "emo decoder"}


def test_ffmpeg_without_its_encoders_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = tmp_path / "ffmpeg"
    false.write_text("#!/bin/sh\necho ffmpeg version 0 Copyright\n")
    false.chmod(0o755)
    monkeypatch.setattr("emotalk_cli.media.ffmpeg_binary", lambda: str(false))
    broken = {f.name for f in doctor().findings if f.state == BROKEN}
    assert broken == {"libx264", "aac"}
