"""Made-up audio features whose phrases and stresses are known."""

from __future__ import annotations

import numpy as np

from emotalk_cli.schema import AudioFeatures, Labels, MadeBy

RATE_HZ = 50.0
QUIET_DB = -70.0
LOUD_DB = -20.0


def voice(
    phrases: list[tuple[float, float]], duration_s: float, *, clip_id: str = "v", speaker: str = "a"
) -> AudioFeatures:
    """Silence with a voice of 4 syllables a second during `phrases` (start, end in s)."""
    rows = round(duration_s * RATE_HZ) + 1
    times = np.arange(rows) / RATE_HZ
    speaking = np.zeros(rows)
    for start, end in phrases:
        speaking[(times >= start) & (times < end)] = 1
    syllables = 8 * np.sin(2 * np.pi * 4 * times)
    energy = np.where(speaking > 0, LOUD_DB - 8 + syllables, QUIET_DB)
    f0 = np.where(speaking > 0, 120 + 30 * np.sin(2 * np.pi * times), 0)
    return AudioFeatures(
        made_by=MadeBy("test", "0"),
        speech=np.tile(times[:, None], (1, 3)).astype(np.float32),
        log_mel=np.tile(energy[:, None], (1, 16)).astype(np.float32),
        f0_hz=f0.astype(np.float32),
        voicing=speaking.astype(np.float32),
        energy_db=energy.astype(np.float32),
        speaking_rate_hz=4.0,
        rate_hz=RATE_HZ,
        duration_s=duration_s,
        encoder="test",
        speech_names=("a", "b", "c"),
        labels=Labels(clip_id=clip_id, speaker=speaker),
    )
