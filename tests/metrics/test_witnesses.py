"""Networks that look at faces: public layouts with random weights, packages where installed."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emotalk_cli.errors import EmotalkError
from emotalk_cli.metrics.picture import FINE_PX, FaceCrops, crop_face
from emotalk_cli.metrics.witnesses import (
    LOOKS,
    Witnesses,
    WitnessFiles,
    call_witnesses,
    look_at_pictures,
)

torch = pytest.importorskip("torch")
DEMO = Path(__file__).resolve().parents[2] / "emotalk_cli/assets/demo_face.jpg"


@pytest.fixture(scope="module")
def face() -> NDArray[np.uint8]:
    """The aligned crop of the demo's face."""
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    photo = read_photo(DEMO)
    return crop_face(photo, require_face(photo, DEMO).landmarks)


def crops(picture: NDArray[np.uint8], noise: float = 0, frames: int = 6) -> FaceCrops:
    rng = np.random.default_rng(0)
    moved = picture + noise * rng.standard_normal((frames, *picture.shape))
    return FaceCrops(np.clip(moved, 0, 255).astype(np.uint8), np.ones(frames, bool))


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of AlexNet's exact layout with random weights."""
    from emotalk_cli.metrics import lpips

    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.randn(value.shape, generator=generator) * 0.02
        if name.startswith("features")
        else torch.zeros(value.shape)
        for name, value in lpips._layout().items()
    }
    torch.save(state, path)
    return path


def test_lpips_agrees_with_torchmetrics(alexnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same random backbone in both; the last layers are torchmetrics' own in both."""
    theirs = pytest.importorskip("torchmetrics.functional.image.lpips")
    from emotalk_cli.metrics.lpips import _features, load_lpips

    backbone = _features()
    state = torch.load(alexnet, weights_only=True)
    inside = {k[9:]: v for k, v in state.items() if k.startswith("features.")}
    backbone.load_state_dict(inside)
    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda *_, **__: backbone)
    load = torch.load
    on_cpu = {"map_location": "cpu"}  # the packaged layers were saved on a GPU
    monkeypatch.setattr(theirs.torch, "load", lambda *a, **k: load(*a, **{**k, **on_cpu}))
    network = theirs._LPIPS(pretrained=True, net="alex", use_dropout=True, eval_mode=True)
    one, other = torch.rand(2, 3, 3, 96, 96, generator=torch.Generator().manual_seed(1)) * 255
    ours = load_lpips(alexnet)
    with torch.inference_mode():
        expected = network(one / 127.5 - 1, other / 127.5 - 1).flatten()
        torch.testing.assert_close(ours(one, other), expected, rtol=1e-4, atol=1e-6)
        assert float(ours(one, one).abs().max()) == 0


def test_the_inception_of_fid_is_the_public_one(tmp_path: Path) -> None:
    """Names, shapes and size of the public file; random weights, so the figure means nothing."""
    from emotalk_cli.metrics.inception import _Network, load_inception

    torch.manual_seed(0)
    state = _Network().state_dict()
    assert sum(v.numel() for k, v in state.items() if "running" not in k and "num_b" not in k) == (
        23_850_960  # torchvision's inception_v3 without its side classes, for 1008 classes
    )
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert state["fc.weight"].shape == (1008, 2048)
    path = tmp_path / "inception.pth"
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, path)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    assert load_inception(path).features(pictures).shape == (2, 2048)


def test_other_weights_are_refused(alexnet: Path, tmp_path: Path) -> None:
    with pytest.raises(EmotalkError, match="not FID's Inception's"):
        call_witnesses(WitnessFiles(inception=alexnet), lambda name: False)
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(EmotalkError, match="not AlexNet's"):
        call_witnesses(WitnessFiles(lpips=tmp_path / "x.pth"), lambda name: False)
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(EmotalkError, match="no network's weights"):
        call_witnesses(WitnessFiles(lpips=tmp_path / "text.pth"), lambda name: False)


def test_packages_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    found = call_witnesses(WitnessFiles(), lambda name: name == "FD-EffLite0")
    assert not found.spreads and "FD-EffLite0 is not available" in found.absent[0]


def test_weights_that_are_not_given_are_told(alexnet: Path) -> None:
    def wanted(name: str) -> bool:
        return name in ("FID", "LPIPS")

    fid, lpips = call_witnesses(WitnessFiles(), wanted).absent
    assert fid.startswith("FID is not available: ") and "--inception" in fid
    assert lpips.startswith("LPIPS is not available: ") and "alexnet-owt-7be5be79.pth" in lpips
    assert call_witnesses(WitnessFiles(lpips=alexnet), wanted).absent == (fid,)
    assert not call_witnesses(WitnessFiles(pictures=False), wanted).absent


def test_more_damage_is_farther(face: NDArray[np.uint8]) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from emotalk_cli.metrics.frechet import Moments, frechet_distance

    called = call_witnesses(WitnessFiles(), lambda name: name == "FD-EffLite0")
    found = []
    for noise in (0, 10, 30, 60):
        said = look_at_pictures(crops(face, noise), crops(face, 2), "", called)
        made, real = (Moments.of(rows) for rows in said.features["FD-EffLite0"])
        assert made.count == LOOKS and made.total.shape == (1280,)
        found.append(frechet_distance(made, real))
    assert (np.diff(found) > 0).all()


def test_one_person_is_near_and_another_far(face: NDArray[np.uint8], shared_data: Path) -> None:
    pytest.importorskip("dlib")
    from emotalk_cli.face3d.landmarks import require_face
    from emotalk_cli.render.photo import read_photo

    called = call_witnesses(WitnessFiles(), lambda name: name == "identity distance")
    path = shared_data / "portraits" / "005.jpg"
    photo = read_photo(path)
    stranger = crop_face(photo, require_face(photo, path).landmarks)
    near = look_at_pictures(crops(face, 8), crops(face), "", called).values
    far = look_at_pictures(crops(stranger), crops(face), "", called).values
    assert near["identity distance"] < 0.3
    assert far["identity distance"] > 0.6


def test_a_smile_is_read_in_pictures(face: NDArray[np.uint8]) -> None:
    pytest.importorskip("ai_edge_litert")
    called = call_witnesses(WitnessFiles(), lambda name: name == "emotion in pictures")
    if called.pictures is None:
        pytest.skip("the package fer is not installed")
    said = look_at_pictures(crops(face), crops(face), "happy", called)
    assert said.predicted[0].read == said.reference[0].read == "happy"  # the demo's face smiles
    assert not look_at_pictures(crops(face), crops(face), "contempt", called).predicted


def test_a_face_never_seen_says_nothing(face: NDArray[np.uint8]) -> None:
    lost = FaceCrops(np.zeros((4, FINE_PX, FINE_PX, 3), np.uint8), np.zeros(4, bool))
    assert not look_at_pictures(lost, crops(face), "happy", Witnesses()).values
