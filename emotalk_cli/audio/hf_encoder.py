"""Speech networks of the user's own: wav2vec 2.0, HuBERT, WavLM and Whisper encoders.

Read through `transformers` (the extra `hf`) from a folder or the local cache; nothing is
downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotalk_cli.audio.clock import HOP, RATE_HZ, in_blocks, row_count
from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.schema import SAMPLE_RATE_HZ

Float = NDArray[np.float32]

WAVEFORM_MODELS = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat")
RECEPTIVE_FIELD = 400  # samples that the first layers of wav2vec 2.0 and its kin see per row
WHISPER_WINDOW_S = 30  # the Whisper encoder takes exactly so much
TINY = 1e-7


class HfEncoder:
    """The last hidden layer of a speech network at 50 Hz."""

    rate_hz = RATE_HZ

    def __init__(self, source: str) -> None:
        """`source` is a folder with config.json and weights, or a name in the local cache."""
        transformers = _transformers()
        try:
            config = transformers.AutoConfig.from_pretrained(source, local_files_only=True)
            self._whisper = config.model_type == "whisper"
            if not self._whisper and config.model_type not in WAVEFORM_MODELS:
                raise EmotalkError(
                    f"{source} is a model of the type {config.model_type}.",
                    f"Known: whisper, {', '.join(WAVEFORM_MODELS)}.",
                )
            network = transformers.AutoModel.from_pretrained(source, local_files_only=True)
            self._prepare = self._preparation(transformers, source)
        except (OSError, ValueError, ImportError) as error:
            raise EmotalkError(
                f"No speech network can be read from {source}: {_first_line(error)}",
                "Give hf:FOLDER, a folder with config.json, preprocessor_config.json and "
                "model.safetensors; nothing is downloaded.",
            ) from error
        self._network: Any = (network.get_encoder() if self._whisper else network).eval()
        self._columns = int(config.hidden_size)
        self.name = f"hf:{Path(source).name}"
        self.feature_names = tuple(f"hidden_{i}" for i in range(self._columns))

    def encode(self, waveform: Float) -> Float:
        """Mono 16 kHz waveform (S,) in -1..1 -> hidden layer (N, P) float32; row n is n / 50 s."""
        rows = self._whisper_rows if self._whisper else self._waveform_rows
        return in_blocks(waveform, rows, self._columns)

    def _preparation(self, transformers: Any, source: str) -> Any:
        """What the network wants done to a waveform first."""
        kind = transformers.WhisperFeatureExtractor if self._whisper else None
        kind = kind or transformers.Wav2Vec2FeatureExtractor
        if (Path(source) / "preprocessor_config.json").is_file() or not Path(source).is_dir():
            return kind.from_pretrained(source, local_files_only=True)
        return kind()

    def _waveform_rows(self, waveform: Float) -> Float:
        """Row n sees RECEPTIVE_FIELD samples from n * HOP on: padding puts it in their middle."""
        if self._prepare.do_normalize:
            waveform = (waveform - waveform.mean()) / np.sqrt(waveform.var() + TINY)
        half = RECEPTIVE_FIELD // 2
        padded = np.pad(waveform, (half, half + HOP))
        return self._run(padded[None])[: row_count(len(waveform))]

    def _whisper_rows(self, waveform: Float) -> Float:
        """Log-mel frames are centred every 10 ms and halved by a centred convolution: no offset."""
        mel = self._prepare(
            np.pad(waveform, (0, max(0, WHISPER_WINDOW_S * SAMPLE_RATE_HZ - len(waveform)))),
            sampling_rate=SAMPLE_RATE_HZ,
            return_tensors="np",
        ).input_features
        return self._run(mel)[: row_count(len(waveform))]

    def _run(self, values: Float) -> Float:
        import torch

        with torch.inference_mode():
            hidden = self._network(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
        return np.asarray(hidden.last_hidden_state[0].numpy(), np.float32)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise EmotalkError(
            "The encoder hf needs the package transformers.",
            f"{install_line('hf')}; or choose `--encoder hama`.",
        ) from error
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
