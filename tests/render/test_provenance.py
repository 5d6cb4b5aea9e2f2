"""Marks of synthetic video: the visible one, and the signed one (C2PA)."""

import datetime
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from emotalk_cli.errors import EmotalkError
from emotalk_cli.media import ffmpeg_binary
from emotalk_cli.render.content_credentials import MADE_BY_LABEL, SYNTHETIC, ContentCredentials
from emotalk_cli.render.watermark import Watermark
from emotalk_cli.schema import MadeBy

MADE_BY = MadeBy("generate", "0", {"emotion": "happy"}, 3, {"face": "ab" * 32})
YEAR = datetime.timedelta(days=365)


@pytest.mark.parametrize(("width", "height"), [(512, 512), (64, 96), (1920, 1080)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_mark_is_seen_on_any_ground(width: int, height: int, grey: int) -> None:
    frame = np.full((height, width, 3), grey, np.uint8)
    marked = Watermark(width, height).marked(frame)
    assert (frame == grey).all()
    rows, columns = np.nonzero(np.abs(marked.astype(int) - grey).max(axis=2) > 40)
    assert len(rows) > 20
    assert rows.min() > height * 0.8
    assert len(rows) < 0.05 * width * height + 400
    assert columns.min() > 0


def certificates(folder: Path) -> tuple[Path, Path]:
    """A self-made CA's certificate chain, and the key of its leaf."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def named(name: str) -> object:
        organisation = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "test")
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name), organisation])

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    now = datetime.datetime.now(datetime.timezone.utc)
    chain = []
    for name, key, is_ca in (("leaf", keys[0], False), ("ca", keys[1], True)):
        builder = x509.CertificateBuilder(named("ca"), named(name), key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - YEAR).not_valid_after(now + YEAR)
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        usage |= {"digital_signature": not is_ca, "key_cert_sign": is_ca, "crl_sign": is_ca}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
        if not is_ca:
            purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, critical=True)
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[1].public_key())
            builder = builder.add_extension(issuer, critical=False)
        chain.append(builder.sign(keys[1], hashes.SHA256()))
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(b"".join(c.public_bytes(pem) for c in chain))
    secret = keys[0].private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    return folder / "chain.pem", folder / "key.pem"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=0.4"]
    subprocess.run([ffmpeg_binary(), "-v", "error", *source, str(path)], check=True)
    return path


def test_a_signed_video_reads_back_valid_but_untrusted(video: Path, tmp_path: Path) -> None:
    c2pa = pytest.importorskip("c2pa")
    ContentCredentials(*certificates(tmp_path)).sign(video, MADE_BY)
    with c2pa.Reader(str(video)) as reader:
        told = json.loads(reader.json())
    assert told["validation_state"] == "Valid"
    codes = {status["code"] for status in told.get("validation_status", [])}
    assert codes == {"signingCredential.untrusted"}
    manifest = told["manifests"][told["active_manifest"]]
    assertions = {a["label"]: a["data"] for a in manifest["assertions"]}
    assert assertions["c2pa.actions.v2"]["actions"][0]["digitalSourceType"] == SYNTHETIC
    assert assertions[MADE_BY_LABEL]["options"] == {"emotion": "happy"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "chain.pem", "key.pem"]


def test_a_changed_video_is_no_longer_valid(video: Path, tmp_path: Path) -> None:
    c2pa = pytest.importorskip("c2pa")
    ContentCredentials(*certificates(tmp_path)).sign(video, MADE_BY)
    content = bytearray(video.read_bytes())
    content[content.rindex(b"mdat") + 40] ^= 0xFF
    video.write_bytes(content)
    with c2pa.Reader(str(video)) as reader:
        assert reader.get_validation_state() == "Invalid"


def test_bad_certificates_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    chain, key = certificates(tmp_path)
    other = tmp_path / "notes.txt"
    other.write_text("nothing")
    for pair in ((key, chain), (chain, other), (other, key), (chain, tmp_path / "none.pem")):
        with pytest.raises(EmotalkError) as caught:
            ContentCredentials(*pair)
        assert caught.value.next_step
