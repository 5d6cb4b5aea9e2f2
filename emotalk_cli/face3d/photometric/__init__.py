"""Refinement of a fit by the pixels, through a differentiable rasteriser."""
