"""MediaPipe without what its package loads besides: the same landmarks, and nothing is missing."""

import subprocess
import sys

LOOK = """
import sys
{before}
import numpy as np
from emotalk_cli.face3d.landmarks import require_face
from emotalk_cli.render.photo import read_photo
from emotalk_cli.stages.generate import DEMO_FACE
found = require_face(read_photo(DEMO_FACE), DEMO_FACE).landmarks
print("matplotlib" in sys.modules, "sounddevice" in sys.modules)
print(found.tobytes().hex())
import mediapipe
assert mediapipe.solutions.drawing_utils.plt.figure
assert mediapipe.solutions.drawing_styles.get_default_hand_landmarks_style()
assert mediapipe.tasks.audio.AudioClassifier
"""


def looked(before: str) -> list[str]:
    command = [sys.executable, "-c", LOOK.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_what_is_not_imported_is_not_missed() -> None:
    lean, landmarks = looked("")
    assert lean == "False False"
    assert looked("import mediapipe")[1] == landmarks
