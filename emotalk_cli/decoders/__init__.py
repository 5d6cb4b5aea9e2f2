"""The two decoders (and the single one): diffusion over facial motion."""
