"""Landmarks of a face over time -> shape, expression, head pose and camera."""
