"""Training options: every key known, every value checked."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from emotalk_cli.decoders.training.config import TrainConfig, read_config
from emotalk_cli.decoders.training.config_text import TEMPLATE, config_text
from emotalk_cli.errors import EmotalkError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_defaults_and_changes() -> None:
    assert read_config(None) == TrainConfig()
    assert read_config(None, steps=7, overfit=None).steps == 7


def test_yaml_reaches_nested_values(tmp_path: Path) -> None:
    text = "steps: 9\nlearning_rate: 1\nnetwork: {hidden: 32}\nvalidation_speakers: [x]\n"
    config = read_config(write(tmp_path, text))
    assert (config.steps, config.learning_rate, config.network.hidden) == (9, 1.0, 32)
    assert config.validation_speakers == ("x",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stepz: 9", "stepz'.\nDid you mean 'steps'? Known: mode"),
        ("network: {hiden: 9}", "network.hiden'.\nDid you mean 'hidden'? Known: "),
        ("zzz: 9", "'zzz'.\nKnown: "),
        ("steps: many", "steps is 'many'"),
        ("steps: true", "steps is True"),
        ("mode: magic", "magic"),
        ("- a", "no mapping"),
        ("steps: 0", "above 0"),
        ("augment: {drop_speech: 1.0}", "augment.drop_speech"),
        ("network: {kernel: 4}", "kernel"),
        ("a: [", "YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(EmotalkError, match=re.escape(told)):
        read_config(write(tmp_path, text))


def test_the_documented_file_has_every_default() -> None:
    path = TEMPLATE
    assert read_config(path) == TrainConfig()
    told = yaml.safe_load(path.read_text())
    expected = dataclasses.asdict(TrainConfig())
    assert told.keys() == expected.keys()
    for name in ("network", "losses", "augment"):
        assert told[name].keys() == expected[name].keys()
    lines = [line for line in path.read_text().splitlines() if ": " in line and line[0] != "#"]
    assert all("#" in line for line in lines)


def test_the_defaults_are_shown_as_the_template_is() -> None:
    assert config_text(TrainConfig()) == TEMPLATE.read_text(encoding="utf-8")


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    text = """
    mode: regression
    learning_rate: 0.00001
    precision: fp16
    validation_speakers: [M003, "no", 'a # b: c', "7"]
    half_weights: true
    network: {hidden: 32, input_dropout: 0.0}
    augment: {past_noise: 12345.678, hide_kind: 0}
    """
    config = read_config(write(tmp_path, text), steps=11)
    shown = config_text(config)
    assert read_config(write(tmp_path, shown)) == config
    changed = [
        (old, new)
        for old, new in zip(
            config_text(TrainConfig()).splitlines(), shown.splitlines(), strict=True
        )
        if old != new
    ]
    assert len(changed) == 10
    for old, new in changed:
        assert new.endswith(old[old.index("# ") :])
