"""emotalk: one portrait, one speech recording and an emotion become a talking video."""

__version__ = "0.1.0"
