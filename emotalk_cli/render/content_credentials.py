"""Content Credentials (C2PA): a signature in the video that says that and how it was made."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from emotalk_cli import __version__
from emotalk_cli.errors import EmotalkError
from emotalk_cli.extras import install_line
from emotalk_cli.schema import MadeBy
from emotalk_cli.store import as_json

SYNTHETIC = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
"""IPTC's digital source type of media that mixes a real photo with synthetic motion."""
MADE_BY_LABEL = "org.emotalk.made-by"
MAX_PEM_BYTES = 1 << 20
MANIFEST_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""The UUID of the mp4 box that holds a manifest (C2PA specification 2.1, appendix A.5.1)."""


class ContentCredentials:
    """Signs videos with the user's certificate chain and private key, both PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read certificate and key; EmotalkError where they are missing or do not fit."""
        try:
            import c2pa
        except ImportError as error:
            raise EmotalkError(
                "--c2pa needs the package c2pa-python.", f"{install_line('c2pa')}."
            ) from error
        chain, secret = _pem(certificate), _pem(key)
        algorithm = _algorithm(secret, key)
        try:
            info = c2pa.C2paSignerInfo(algorithm, chain.encode(), secret.encode(), None)
            self._signer = c2pa.Signer.from_info(info)
        except c2pa.C2paError as error:
            raise EmotalkError(
                f"{certificate} and {key} cannot sign: {error}.",
                "C2PA wants a certificate chain (leaf first) and its private key, both PEM.",
            ) from error

    def sign(self, video: Path, made_by: MadeBy) -> None:
        """Put the signed manifest into the mp4 `video`, in place."""
        import c2pa

        signed = video.with_name(f"{video.name}.signed.mp4")
        try:
            with (
                c2pa.Builder.from_json(json.dumps(_manifest(made_by))) as builder,
                video.open("rb") as source,
                signed.open("w+b") as target,
            ):
                builder.sign(self._signer, "video/mp4", source, target)
            signed.replace(video)
        except c2pa.C2paError as error:
            raise EmotalkError(
                f"The video could not be signed: {error}.",
                "Check the certificate: it needs the extended key usage emailProtection or "
                "documentSigning, and must be valid today.",
            ) from error
        finally:
            signed.unlink(missing_ok=True)


def read_signature(video: Path) -> str:
    """What is known of a video's signature, in words; "" where it has none."""
    if not _has_manifest(video):
        return ""
    try:
        import c2pa
    except ImportError:
        return f"signed (C2PA); unchecked, as c2pa-python is missing. {install_line('c2pa')}"
    try:
        with c2pa.Reader(str(video)) as reader:
            told = json.loads(reader.json())
    except (c2pa.C2paError, ValueError) as error:
        return f"signed (C2PA), but the signature cannot be read: {error}"
    codes = {status.get("code") for status in told.get("validation_status", [])}
    manifest = told.get("manifests", {}).get(told.get("active_manifest"), {})
    signer = manifest.get("signature_info", {}).get("issuer") or "somebody who gives no name"
    if told.get("validation_state") not in ("Valid", "Trusted"):
        return f"signed (C2PA) by {signer}, but the video or the signature was changed since"
    trust = ", whom no list of trust names" if "signingCredential.untrusted" in codes else ""
    return f"signed (C2PA) by {signer}{trust}; unchanged since"


def _has_manifest(video: Path) -> bool:
    """Whether one of an mp4's outer boxes is a C2PA manifest (ISO/IEC 14496-12, 4.2)."""
    with video.open("rb") as file:
        place, end = 0, file.seek(0, 2)
        while place + 24 <= end:
            file.seek(place)
            size, kind = struct.unpack(">I4s", file.read(8))
            head = 16 if size == 1 else 8
            if size == 1:
                (size,) = struct.unpack(">Q", file.read(8))
            if kind == b"uuid" and file.read(16) == MANIFEST_BOX:
                return True
            if size < head:  # 0: up to the end of the file; else no mp4
                return False
            place += size
    return False


def _manifest(made_by: MadeBy) -> dict[str, Any]:
    """The claim: created by this program, synthetic, from these inputs (sha256, no paths)."""
    agent = {"name": "emotalk", "version": __version__}
    action = {"action": "c2pa.created", "softwareAgent": agent, "digitalSourceType": SYNTHETIC}
    return {
        "claim_generator_info": [agent],
        "title": "Synthetic video",
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": MADE_BY_LABEL, "data": json.loads(as_json(made_by))},
        ],
    }


def _pem(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_PEM_BYTES:
            raise EmotalkError(f"{path} is too large for a PEM file.", "Check --c2pa.")
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise EmotalkError(f"{path} cannot be read as a PEM file: {error}.", "Check it.") from error
    if "-----BEGIN" not in text:
        raise EmotalkError(f"{path} is no PEM file.", "It begins with -----BEGIN.")
    return text


def _algorithm(pem: str, path: Path) -> str:
    """The signing algorithm that fits the private key, as C2PA names it."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise EmotalkError(
            f"{path} holds no usable private key: {error}.", "Give an unencrypted PEM key."
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey):
        sizes = {256: "es256", 384: "es384", 521: "es512"}
        if key.curve.key_size in sizes:
            return sizes[key.curve.key_size]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise EmotalkError(f"{path} is a key of a kind C2PA does not know.", "Use EC P-256 or Ed25519.")
