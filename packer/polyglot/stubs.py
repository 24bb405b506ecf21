"""Builds the start stubs with zig."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from packer import build_cache
from packer.engine import native
from packer.polyglot import elf

STUB_TARGETS = ("linux-x86_64", "linux-aarch64")

_ZIG_TARGETS = {"linux-x86_64": "x86_64-linux-musl", "linux-aarch64": "aarch64-linux-musl"}

_FLAGS = (
    "-std=c11", "-Os", "-s", "-D_GNU_SOURCE", "-static", "-no-pie", "-fno-sanitize=all",
    "-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables",
    "-Wl,--gc-sections",
    # One segment to write to, and 64 KiB apart: the APE loader's rules, and arm64's larger pages.
    "-Wl,-z,norelro", "-Wl,-z,max-page-size=65536", "-Wl,--build-id=none",
)  # fmt: skip


def _sources() -> list[Path]:
    return sorted((native.directory() / "stub").glob("*.c")) + sorted(
        (native.directory() / "bundle").glob("*.c")
    )


def _headers() -> list[Path]:
    return sorted((native.directory() / "stub").glob("*.h")) + sorted(
        (native.directory() / "bundle").glob("*.h")
    )


def _key(target: str, zig_version: str) -> str:
    """Identifies everything that the stub's bytes depend on."""
    digest = hashlib.sha256("\0".join((target, zig_version, *_FLAGS)).encode())
    for path in (*_sources(), *_headers(), Path(__file__), Path(elf.__file__)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def build_stub(target: str, zig: Path, out_dir: Path) -> Path:
    """Compile the stub of `target`, or take it from the build cache.

    Args:
        target: one of `STUB_TARGETS`.
        zig: the `zig` executable.
        out_dir: where to put it.

    Returns:
        the path of a static ELF program that fits the rules of `ape_rules`.

    Raises:
        subprocess.CalledProcessError: if zig fails; its messages went to stderr.
    """
    version = subprocess.run(
        [zig, "version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    cached = build_cache.root() / "stubs" / f"{target}-{_key(target, version)}"
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            program = Path(scratch) / "stub"
            subprocess.run(
                [
                    zig, "cc", "-target", _ZIG_TARGETS[target], *_FLAGS,
                    f"-ffile-prefix-map={native.directory()}=native", *_sources(), "-o", program,
                ],
                check=True,
            )  # fmt: skip
            program.write_bytes(elf.hide_phdr(program.read_bytes()))
            program.chmod(0o755)
            program.replace(cached)
    out_dir.mkdir(parents=True, exist_ok=True)
    result = out_dir / f"stub-{target}"
    scratch_result = out_dir / f".stub-{target}.{os.getpid()}"
    scratch_result.write_bytes(cached.read_bytes())
    scratch_result.chmod(0o755)
    return scratch_result.replace(result)
