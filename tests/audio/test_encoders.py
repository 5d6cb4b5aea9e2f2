"""The encoders: one clock, rows in place, phones where they are said."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.audio.clock import row_count
from emotalk_cli.audio.hama_encoder import PHONE_CLASSES, HamaEncoder, HamaHiddenEncoder
from emotalk_cli.audio.hama_network import think
from emotalk_cli.audio.mel_encoder import MelEncoder, log_mel
from emotalk_cli.audio.waveform import normalise_level
from emotalk_cli.errors import EmotalkError
from emotalk_cli.parts import SPEECH_ENCODERS, make
from emotalk_cli.schema import SAMPLE_RATE_HZ


def test_hama_hears_the_words_of_the_demo(speech: np.ndarray) -> None:
    encoder = HamaEncoder()
    rows = encoder.encode(normalise_level(speech))
    assert rows.shape == (row_count(len(speech)), len(encoder.feature_names))
    assert np.allclose(rows.sum(axis=1), 1, atol=1e-4)
    silence = [encoder.feature_names.index(name) for name in ("blank", "word boundary")]
    spoken = np.delete(rows, silence, axis=1)
    assert len(np.unique(spoken.argmax(axis=1)[spoken.max(axis=1) > 0.8])) > 10


def test_network_thinks_as_its_own_engine_does(speech: np.ndarray) -> None:
    import hama

    sound = normalise_level(speech)[: 4 * SAMPLE_RATE_HZ]
    feeds = {"waveform": np.ascontiguousarray(sound)}
    theirs = hama.ASRModel().session.run(["log_probs"], feeds)[0][0]
    ours = think(sound).log_probs
    assert ours.shape == theirs.shape
    assert np.abs(np.exp(ours) - np.exp(theirs)).max() < 0.02
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() > 0.99


def test_hidden_encoder_adds_a_layer_to_the_posteriors(speech: np.ndarray) -> None:
    sound = normalise_level(speech)[: 10 * SAMPLE_RATE_HZ]
    phones, both = (encoder.encode(sound) for encoder in (HamaEncoder(), HamaHiddenEncoder()))
    assert both.shape == (len(phones), len(HamaHiddenEncoder.feature_names))
    assert np.array_equal(both[:, : phones.shape[1]], phones)
    hidden = both[:, phones.shape[1] :]
    assert np.isfinite(hidden).all() and 0.1 < hidden.std() < 10
    neighbours = np.corrcoef(hidden[:-1].ravel(), hidden[1:].ravel())[0, 1]
    assert neighbours > 0.5  # it glides where posteriors jump


def test_hama_keeps_time(speech: np.ndarray) -> None:
    """The same speech 2.02 s later gives the same rows 101 later."""
    encoder = HamaEncoder()
    loud = normalise_level(speech)[: 6 * SAMPLE_RATE_HZ]
    late = np.concatenate([np.zeros(int(2.02 * SAMPLE_RATE_HZ), np.float32), loud])
    here, there = encoder.encode(loud), encoder.encode(late)[101:]
    assert (here[25:].argmax(axis=1) == there[25:].argmax(axis=1)).mean() > 0.9


def test_every_phone_has_one_class() -> None:
    phones = " ".join(PHONE_CLASSES.values()).split()
    assert len(phones) == len(set(phones))


def test_mel_rows_are_centred_on_their_moment() -> None:
    click = np.zeros(SAMPLE_RATE_HZ, np.float32)
    click[16000 // 2 - 4 : 16000 // 2 + 4] = 0.5
    level = log_mel(click).mean(axis=1)
    assert level.argmax() == 25
    assert level[24] == pytest.approx(level[26], abs=0.2)


def test_mel_tells_frequencies_apart() -> None:
    encoder = MelEncoder()
    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for hz in (200, 1000, 4000):
        rows = encoder.encode((0.3 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32))
        name = encoder.feature_names[int(rows.mean(axis=0).argmax())]
        assert float(name.removeprefix("mel_").removesuffix("hz")) == pytest.approx(hz, rel=0.1)


def test_encoders_are_made_by_name() -> None:
    assert make(SPEECH_ENCODERS, "mel:20").encode(np.zeros(3200, np.float32)).shape == (11, 20)
    with pytest.raises(EmotalkError, match="hubba"):
        make(SPEECH_ENCODERS, "hubba")
    with pytest.raises(EmotalkError, match="bands"):
        make(SPEECH_ENCODERS, "mel:many")


def test_hf_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EmotalkError) as caught:
        make(SPEECH_ENCODERS, f"hf:{tmp_path}")
    assert "transformers" in str(caught.value) or str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "Whisper"])
def test_hf_rows_are_in_place(tmp_path: Path, kind: str) -> None:
    """A tiny random network of each class: an impulse moves its own row the most."""
    transformers = pytest.importorskip("transformers")
    from emotalk_cli.audio.hf_encoder import HfEncoder

    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    tiny |= {"intermediate_size": 32}
    if kind == "Whisper":
        tiny = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 100}
        tiny |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
        tiny |= {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "pad_token_id": 0}
        tiny |= {"bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    importlib.import_module("torch").manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**tiny)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    encoder = HfEncoder(str(tmp_path))
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * SAMPLE_RATE_HZ + 5).astype(np.float32)
    click = noise.copy()
    click[16000 - 8 : 16000 + 8] += 0.5
    before, after = encoder.encode(noise), encoder.encode(click)
    assert before.shape == (row_count(len(noise)), 16)
    assert abs(int(np.abs(after - before).sum(axis=1).argmax()) - 50) <= 1
