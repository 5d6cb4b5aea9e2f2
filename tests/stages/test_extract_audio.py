"""The stage extract-audio: clips and recordings, variants, bad files beside good ones."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import emotalk_cli
from emotalk_cli import store
from emotalk_cli.errors import EmotalkError
from emotalk_cli.schema import AudioFeatures, Clip, Labels, MadeBy
from emotalk_cli.stages.extract_audio import extract_audio

DEMO_SPEECH = Path(emotalk_cli.__file__).parent / "assets" / "demo_speech.flac"


def clip_record(path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    beat = np.abs(np.sin(np.arange(16000) / 900))
    record = Clip(
        made_by=MadeBy("preprocess", "0"),
        landmarks=np.zeros((25, 478, 3), np.float32),
        valid=np.ones(25, bool),
        crop=np.array([0, 0, 10, 10], np.float32),
        waveform=(0.3 * beat * np.sin(np.arange(16000) / 20) + rng.normal(0, 0.01, 16000)).astype(
            np.float32
        ),
        fps=25.0,
        width_px=10,
        height_px=10,
        source="x.mp4",
        source_sha256="0" * 64,
        labels=Labels(clip_id=path.stem, speaker="s1", emotion="happy"),
    )
    return store.write(record, path)


def test_clips_become_features_under_the_same_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        clip_record(tmp_path / "clips" / f"{name}.h5", seed=ord(name))
    out = tmp_path / "audio"
    done = extract_audio(tmp_path / "clips", out, encoder="mel", augment=2)
    names = sorted(path.name for path in out.iterdir())
    assert names == ["a.aug1.h5", "a.aug2.h5", "a.h5", "b.aug1.h5", "b.aug2.h5", "b.h5"]
    assert (done.made, done.skipped, done.failures) == (6, 0, ())
    plain, other = (store.read(out / f"a{n}.h5", AudioFeatures) for n in ("", ".aug1"))
    assert plain.labels.emotion == "happy" and plain.encoder == "mel"
    assert plain.speech.shape == other.speech.shape
    assert not np.array_equal(plain.speech, other.speech)
    again = extract_audio(tmp_path / "clips", out, encoder="mel", augment=2)
    assert (again.made, again.skipped) == (0, 6)


def test_other_options_are_refused_until_overwrite(tmp_path: Path) -> None:
    source, target = clip_record(tmp_path / "c.h5"), tmp_path / "features.h5"
    extract_audio(source, target, encoder="mel")
    with pytest.raises(EmotalkError, match="encoder"):
        extract_audio(source, target, encoder="mel:20")
    extract_audio(source, target, encoder="mel:20", overwrite=True)
    assert store.read(target, AudioFeatures).encoder == "mel:20"


def test_a_bad_recording_is_listed_and_the_others_are_done(tmp_path: Path) -> None:
    folder, out = tmp_path / "sounds", tmp_path / "out"
    folder.mkdir()
    shutil.copy(DEMO_SPEECH, folder / "good.flac")
    (folder / "letter.wav").write_text("this is no sound\n")
    (folder / "notes.txt").write_text("left alone\n")
    done = extract_audio(folder, out)
    assert [path.name for path in done.files] == ["good.h5"]
    assert [failure.clip for failure in done.failures] == ["letter"]
    assert "letter" in (out / "failures.csv").read_text()
    assert not (out / "letter.h5").exists()
    heard = store.read(out / "good.h5", AudioFeatures)
    assert heard.encoder == "hama-hidden" and heard.duration_s > 3


def test_sources_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="no file or folder"):
        extract_audio(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(EmotalkError, match="neither clips"):
        extract_audio(tmp_path, tmp_path / "out")
    with pytest.raises(EmotalkError, match="hubba"):
        extract_audio(DEMO_SPEECH, tmp_path / "out", encoder="hubba")
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.mp3").touch()
    with pytest.raises(EmotalkError, match="more than one"):
        extract_audio(tmp_path, tmp_path / "out")
    (tmp_path / "a.mp3").unlink()
    with pytest.raises(EmotalkError, match="empty"):
        extract_audio(tmp_path, tmp_path / "out")


def test_variants_do_not_depend_on_the_order_of_work(tmp_path: Path) -> None:
    for name in ("a", "b"):
        clip_record(tmp_path / "clips" / f"{name}.h5")
    extract_audio(tmp_path / "clips", tmp_path / "all", encoder="mel", augment=1)
    extract_audio(tmp_path / "clips" / "b.h5", tmp_path / "one", encoder="mel", augment=1)
    both = [store.read(tmp_path / d / "b.aug1.h5", AudioFeatures) for d in ("all", "one")]
    assert np.array_equal(both[0].speech, both[1].speech)
    first = store.read(tmp_path / "all" / "a.aug1.h5", AudioFeatures)
    assert not np.array_equal(first.speech, both[0].speech)
