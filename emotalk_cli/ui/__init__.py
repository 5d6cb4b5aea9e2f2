"""The page: the same stages in a browser on this machine, for those who would rather look."""
