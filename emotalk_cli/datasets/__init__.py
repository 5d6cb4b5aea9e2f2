"""Corpora: a folder on disk becomes a list of clips with labels."""
