"""The stages: one function each, paths in, paths out; the only place where the rooms meet."""
