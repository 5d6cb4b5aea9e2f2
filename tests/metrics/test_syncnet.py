"""SyncNet's loader and measures on a file of the public layout with random weights.

Random weights agree with nothing: what is tested is that the network runs, that its shapes and its
arithmetic are right, and that other files are refused. The figures themselves are meaningless.
"""

from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.mfcc import mfcc
from emotalk_cli.metrics.syncnet import SyncNet, cut_face, face_boxes, load_syncnet

torch = pytest.importorskip("torch")

# Layer -> shape of its weight in the public file, read off the published architecture.
PUBLIC_LAYOUT = {
    "netcnnaud.0": (64, 1, 3, 3),
    "netcnnaud.4": (192, 64, 3, 3),
    "netcnnaud.8": (384, 192, 3, 3),
    "netcnnaud.11": (256, 384, 3, 3),
    "netcnnaud.14": (256, 256, 3, 3),
    "netcnnaud.18": (512, 256, 5, 4),
    "netfcaud.0": (512, 512),
    "netfcaud.3": (1024, 512),
    "netfclip.0": (512, 512),
    "netfclip.3": (1024, 512),
    "netcnnlip.0": (96, 3, 5, 7, 7),
    "netcnnlip.4": (256, 96, 1, 5, 5),
    "netcnnlip.8": (256, 256, 1, 3, 3),
    "netcnnlip.11": (256, 256, 1, 3, 3),
    "netcnnlip.14": (256, 256, 1, 3, 3),
    "netcnnlip.18": (512, 256, 1, 6, 6),
}
LAST = ("netfcaud.3", "netfclip.3")  # no normalisation follows


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in PUBLIC_LAYOUT.items():
        fan_in = int(np.prod(shape[1:]))
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) / fan_in**0.5
        state[f"{name}.bias"] = torch.zeros(shape[0])
        if name not in LAST:
            block, _, index = name.partition(".")
            norm = f"{block}.{int(index) + 1}"
            state |= {f"{norm}.{part}": torch.zeros(shape[0]) for part in ("bias", "running_mean")}
            state |= {f"{norm}.{part}": torch.ones(shape[0]) for part in ("weight", "running_var")}
    path = tmp_path_factory.mktemp("syncnet") / "syncnet_v2.model"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def network(weights: Path) -> SyncNet:
    return load_syncnet(weights)


def test_windows_and_shapes(network: SyncNet) -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (9, 224, 224, 3), np.uint8)
    seen = network.see(faces)
    assert seen.shape == (5, 1024)
    torch.testing.assert_close(network.see(faces[3:8])[0], seen[3], rtol=1e-3, atol=1e-4)
    sound = rng.uniform(-0.5, 0.5, 16000).astype(np.float32)
    heard = network.hear(sound)
    assert heard.shape == (20, 1024)  # 99 rows of cepstra: windows of 20, every 4
    torch.testing.assert_close(network.hear(sound[6400:])[2], heard[12], rtol=1e-3, atol=1e-3)


def test_measures_by_hand(network: SyncNet, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = 60
    rng = torch.Generator().manual_seed(1)
    vectors = torch.randn((frames + 4, 1024), generator=rng)
    monkeypatch.setattr(network, "see", lambda faces: vectors[4:])
    monkeypatch.setattr(network, "hear", lambda sound: vectors[:frames])
    found = network.compare(
        np.zeros((frames, 1, 1, 3), np.uint8), np.zeros(frames * 640, np.float32)
    )
    # What is heard at frame t + 4 was seen at t: but for the last four, the distance is zero.
    assert found.offset_frames == -4
    both = frames - 5
    size = float(vectors[4 + both - 4 : 4 + both].norm(dim=1).sum()) / both
    assert found.distance == pytest.approx(size, rel=1e-3)
    assert found.confidence == pytest.approx(2**0.5 * 1024**0.5 - size, rel=0.05)


def test_too_short_is_not_measured(network: SyncNet) -> None:
    faces = np.zeros((8, 224, 224, 3), np.uint8)
    assert np.isnan(network.compare(faces, np.zeros(16000, np.float32)).confidence)


def test_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    less = {name: value for name, value in state.items() if name != "netfclip.3.bias"}
    torch.save(less, tmp_path / "less.model")
    with pytest.raises(EmotalkError, match=r"lacks layer netfclip\.3\.bias"):
        load_syncnet(tmp_path / "less.model")
    torch.save(state | {"netfclip.3.bias": torch.zeros(7)}, tmp_path / "other.model")
    with pytest.raises(EmotalkError, match=r"shape \(7,\)"):
        load_syncnet(tmp_path / "other.model")
    (tmp_path / "text.model").write_text("no weights")
    with pytest.raises(EmotalkError, match="no network's weights"):
        load_syncnet(tmp_path / "text.model")
    with pytest.raises(EmotalkError, match="Cannot read"):
        load_syncnet(tmp_path / "missing.model")


def test_faces_are_cut_as_the_pipeline_does() -> None:
    landmarks = np.full((20, 478, 2), 140, np.float32)
    landmarks[:, 0], landmarks[:, 1] = [100, 80], [180, 200]  # 80 wide, 120 high
    boxes = face_boxes(landmarks)
    np.testing.assert_allclose(boxes, np.tile([140, 140, 60], (20, 1)))
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[80:248, 56:224] = 200  # 168 px: 60 * (2 + 2 * 0.4), from the face's top down
    cut = cut_face(picture, boxes[0])
    assert cut.shape == (224, 224, 3) and cut[2:-2, 2:-2].min() > 190
    assert cut_face(picture, boxes[0] + [1000, 0, 0]).mean() == 110


def test_cepstra_of_a_tone() -> None:
    time = np.arange(16000) / 16000
    low, high = (0.5 * np.sin(2 * np.pi * f * time).astype(np.float32) for f in (200, 4000))
    rows = mfcc(low)
    assert rows.shape == (99, 13) and np.isfinite(rows).all()
    assert rows[50, 1] > 0 > mfcc(high)[50, 1]  # the first cosine weighs low bands against high
    louder = mfcc(low * 2)[50]
    np.testing.assert_allclose(louder[1:], rows[50, 1:], atol=0.1)
    assert louder[0] - rows[50, 0] == pytest.approx(np.log(4), abs=0.01)
    assert np.isfinite(mfcc(np.zeros(100, np.float32))).all()
