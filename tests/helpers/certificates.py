"""Certificate authorities for tests, made by the `openssl` program."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


def _openssl(*words: str | Path) -> bytes:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed here")
    return subprocess.run([program, *words], capture_output=True, check=True).stdout


def _made(folder: Path, name: str, *words: str | Path) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", f"/CN={name}", "-out", pair.certificate, "-keyout", pair.key, *words,
    )  # fmt: skip
    return pair


def authority(folder: Path) -> Pair:
    return _made(folder, "authority", "-addext", "keyUsage=critical,keyCertSign")


def signed(folder: Path, by: Pair, names: str = "DNS:localhost,IP:127.0.0.1") -> Pair:
    """The certificate of a server."""
    return _made(
        folder, "server", "-CA", by.certificate, "-CAkey", by.key,
        "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE",
    )  # fmt: skip


def described(certificate: Path) -> str:
    return _openssl(
        "x509", "-in", certificate, "-noout", "-text", "-fingerprint", "-sha256"
    ).decode()


def key_hash(certificate: Path) -> str:
    """What Chromium calls the SPKI."""
    key = certificate.with_suffix(".public")
    key.write_bytes(_openssl("x509", "-in", certificate, "-noout", "-pubkey"))
    der = _openssl("pkey", "-pubin", "-in", key, "-outform", "der")
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
