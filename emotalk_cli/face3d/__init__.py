"""Faces in three dimensions: landmarks, the linear face model and its fitting."""
