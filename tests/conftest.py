"""Fixtures that many tests share."""

import os
import signal
from pathlib import Path

# Before anything loads torch or numpy, and whatever the shell says: many small jobs run faster on
# one thread each, and processor times that tests measure are those of one.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pytest

# A shell that starts the tests in the background makes them, and their children, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real clips and portraits beside the checkout; the test is skipped without."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the development data is not here")
    return SHARED_DATA
