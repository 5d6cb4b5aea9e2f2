"""From motion to pixels: rasteriser, portrait, compositing and video."""
