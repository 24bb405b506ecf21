"""Signs what has a key here, with the tools that are installed; says what stays unsigned and why.

- programs for Windows: osslsigncode, with the key LLAMAPACK_WINDOWS_P12, its password in the file
  LLAMAPACK_WINDOWS_PASSWORD_FILE, and time stamps from LLAMAPACK_TIMESTAMP_URL
- programs for macOS: rcodesign, with LLAMAPACK_MACOS_P12 and LLAMAPACK_MACOS_PASSWORD_FILE
- a folder that is published: model_signing, with the private key LLAMAPACK_SIGNING_KEY (PEM)
- its SHA256SUMS: sigstore, with the identity of the CI job, where it has one

Bundles themselves are not signed inside: their head is part of what `llamapack verify` compares.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ci.release.checksums import NAME as SUMS
from packer.io.console import note

Words = list[str | Path]


def sign_program(folder: Path) -> None:
    """Sign the frozen program in `folder`, whose name is that of the program, in place."""
    windows, macos = folder / f"{folder.name}.exe", folder / folder.name
    if windows.is_file():
        _run("osslsigncode", "LLAMAPACK_WINDOWS_P12", windows, _authenticode)
        signed = windows.with_suffix(".signed")
        if signed.is_file():
            signed.replace(windows)
    elif sys.platform == "darwin":
        _run("rcodesign", "LLAMAPACK_MACOS_P12", macos, _apple)


def sign_folder(folder: Path) -> None:
    """Sign all of a folder that is complete, and its checksums."""
    _run("model_signing", "LLAMAPACK_SIGNING_KEY", folder, _model)
    # A CI job has an identity where it may ask for a token with it.
    _run("sigstore", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", folder / SUMS, _sigstore)


def _run(program: str, variable: str, path: Path, words: Callable[[str, Path], Words]) -> None:
    key, tool = os.environ.get(variable), shutil.which(program)
    if not tool or not key:
        reason = f"{variable} is not set" if tool else f"there is no {program} here"
        note(f"{path.name} is not signed by {program}: {reason}")
        return
    subprocess.run([tool, *words(key, path)], check=True, stdout=sys.stderr)


def _authenticode(key: str, path: Path) -> Words:
    words: Words = ["sign", "-pkcs12", key, "-h", "sha256", "-n", path.stem]
    if password := os.environ.get("LLAMAPACK_WINDOWS_PASSWORD_FILE"):
        words += ["-readpass", password]
    if stamps := os.environ.get("LLAMAPACK_TIMESTAMP_URL"):
        words += ["-ts", stamps]
    return [*words, "-in", path, "-out", path.with_suffix(".signed")]


def _apple(key: str, path: Path) -> Words:
    words: Words = ["sign", "--p12-file", key, "--code-signature-flags", "runtime"]
    if password := os.environ.get("LLAMAPACK_MACOS_PASSWORD_FILE"):
        words += ["--p12-password-file", password]
    return [*words, path]


def _model(key: str, path: Path) -> Words:
    signature = path / "model.sig"
    return ["sign", "key", path, "--private-key", key, "--signature", signature]


def _sigstore(_: str, path: Path) -> Words:
    return ["sign", "--bundle", path.with_name(f"{path.name}.sigstore.json"), path]
