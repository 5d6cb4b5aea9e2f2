"""Fixtures that many tests share."""

import os
from pathlib import Path

# Before anything loads torch or numpy: many small jobs run faster on one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and portraits beside the checkout; the test is skipped without."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data is not here")
    return SHARED_DATA
