"""Sound: waveforms, speech encoders and prosody."""
