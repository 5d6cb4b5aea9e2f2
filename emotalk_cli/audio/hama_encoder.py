"""Phone posteriors of the `hama` recogniser (Apache-2.0), folded into classes that lips know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.clock import HOP, RATE_HZ, in_blocks
from emotalk_cli.audio.hama_network import CHANNELS, Thoughts, think
from emotalk_cli.errors import EmotalkError

Float = NDArray[np.float32]

HIDDEN_LAYER = 2  # of 0..3
# A phone is recognised after it was heard. On synthetic speech with known phone times the rows
# tell most about what was 30 ms (flite, four voices) and 25 ms (espeak-ng, four voices) before.
LATENCY = 480  # samples
THREADS = 2  # blocks at a time: numpy lets others run while it multiplies

# Each class takes the phones of all the recogniser's languages that look alike on the lips, so
# that a language which no training clip spoke still meets trained inputs. What is named nowhere
# (tones, length and other marks) counts as blank.
PHONE_CLASSES: dict[str, str] = {
    "p": "p pʰ p͈",
    "b": "b ɓ ʙ",
    "m": "m ɱ",
    "f": "f ɸ",
    "v": "v ʋ β",
    "w": "w wa we wi wʌ ɥ ʷ ᵝ",
    "θ": "θ",
    "ð": "ð",
    "t": "t tʰ t͈ ʈ",
    "d": "d ɖ ɗ ɾ",
    "n": "n ɲ ɳ",
    "l": "l ɫ ɮ ʎ",
    "s": "s s͈ ɕ t͡ɕ t͡ɕʰ t͡ɕ͈",
    "z": "z ʑ ẑ",
    "ʃ": "ʃ ʂ",
    "ʒ": "ʒ ʐ",
    "tʃ": "t͡ʃ",
    "dʒ": "d͡ʒ",
    "ɹ": "ɹ r ɻ ɽ",
    "j": "j ja je jo ju jʌ ʝ ʲ",
    "k": "k kʰ k͈ c",
    "g": "g ɡ ɟ",
    "ŋ": "ŋ ɴ",
    "h": "h x ɦ ħ ç χ ʁ ʀ ɣ ʰ ʱ ɰ ʔ",
    "i": "i ì ĩ ǐ",
    "ɪ": "ɪ ɪə ɨ ɯ ɯi ɘ",
    "e": "e ẽ",
    "eɪ": "eɪ",
    "ɛ": "ɛ eə",
    "æ": "æ",
    "a": "a ä à ã å ɐ",
    "aɪ": "aɪ",
    "aʊ": "aʊ",
    "ɑ": "ɑ ɒ",
    "ʌ": "ʌ",
    "ə": "ə ᵊ ɤ",
    "ɝ": "ɝ ɚ ɜ",
    "ɔ": "ɔ œ",
    "ɔɪ": "ɔɪ",
    "o": "o õ ø ɵ",
    "oʊ": "oʊ",
    "ʊ": "ʊ ʏ",
    "u": "u ũ y ʉ",
    "word boundary": "<wb>",
    "blank": "<blank>",
}


class HamaEncoder:
    """Posteriors of phone classes at 50 Hz; each row sums to 1.

    The recogniser is nearly always sure, and what it thinks besides tells lips what is between
    its spikes: read the posteriors p as log(p + 1e-4) or p ** 0.25. Measured with a small network
    on unseen GRID clips and CREMA-D, r of lip opening from p .84 and .66, from p ** 0.25 .88, .73.
    """

    name = "hama"
    feature_names = tuple(PHONE_CLASSES)
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self._fold = _folding(_tokens())

    def encode(self, waveform: Float) -> Float:
        """Mono 16 kHz waveform (S,) in -1..1 -> posteriors (N, P) float32; row n is n / 50 s."""
        return in_blocks(waveform, self._posteriors, len(self.feature_names), threads=THREADS)

    def _posteriors(self, waveform: Float) -> Float:
        return posteriors(on_time(waveform), self._fold)


class HamaHiddenEncoder:
    """The same posteriors, and the network's third layer, which says much more about the moment.

    On unseen synthetic voices a linear map tells 12 classes of phones from one row of the layer in
    82 % of the rows, from one row of posteriors in 61 %. On unseen GRID clips and CREMA-D, r of
    lip opening from the layer .89 and .79, from the posteriors (p ** 0.25) .87 and .72.
    """

    name = "hama-hidden"
    feature_names = (*PHONE_CLASSES, *(f"hidden_{i}" for i in range(CHANNELS)))
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self._fold = _folding(_tokens())

    def encode(self, waveform: Float) -> Float:
        """Mono 16 kHz waveform (S,) in -1..1 -> posteriors and layer (N, P); row n is n / 50 s."""
        return in_blocks(waveform, self._rows, len(self.feature_names), threads=THREADS)

    def _rows(self, waveform: Float) -> Float:
        thoughts = on_time(waveform)
        hidden = thoughts.layers[HIDDEN_LAYER]
        return np.concatenate([posteriors(thoughts, self._fold), hidden], axis=1)


def on_time(waveform: Float) -> Thoughts:
    """What the network thinks of each moment n / 50 s of a waveform (S,), its lag taken out."""
    rows, samples = divmod(LATENCY, HOP)
    # Half rows are made up for by starting later, whole ones by leaving out the first.
    thoughts = think(np.pad(waveform[samples:], (0, LATENCY)))
    return Thoughts(thoughts.log_probs[rows:], tuple(layer[rows:] for layer in thoughts.layers))


def posteriors(thoughts: Thoughts, fold: Float) -> Float:
    """Log-probabilities of tokens, summed into classes: (N, P)."""
    return np.asarray(np.exp(thoughts.log_probs) @ fold, np.float32)


def _tokens() -> list[str]:
    """The recogniser's tokens in the order of its outputs."""
    try:
        from hama.vocab import Vocabulary
    except (ImportError, OSError) as error:
        raise EmotalkError(
            f"The phone recogniser hama does not load here: {error}.",
            "Run `pip install 'hama>=1.7,<1.8'`, or choose `--encoder mel`.",
        ) from error
    return [*Vocabulary.load().decoder, "<wb>", "<blank>"]


def _folding(tokens: list[str]) -> Float:
    """Matrix (tokens, classes) of zeros and ones that sums tokens into classes."""
    owner = {
        phone: i for i, phones in enumerate(PHONE_CLASSES.values()) for phone in phones.split()
    }
    blank = owner["<blank>"]
    fold = np.zeros((len(tokens), len(PHONE_CLASSES)), np.float32)
    for row, token in enumerate(tokens):
        fold[row, owner.get(token, blank)] = 1
    return fold
