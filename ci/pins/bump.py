"""Pins another release of llama.cpp, builds this machine's engine from it, and tests it.

Usage: python -m ci.pins.bump VERSION [--dry-run]

VERSION is that of the npm packages that carry the source and the GPU modules. Prints what changes
in the pins and in llama.cpp's flags. After a failure the new pins stay; git takes them back.
"""

from __future__ import annotations

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ci.ending import status_of
from ci.pins.flags import changes, flags
from ci.pins.toml_text import replaced
from packer.engines import layout, native, npm, pins, source
from packer.engines.build import build, build_web_ui
from packer.engines.gpu import pins as gpu_pins
from packer.engines.pins import Pins
from packer.engines.targets import for_this_machine
from packer.io.console import note
from runtime.errors import InputError

_RELEASE = "package/llama/binariesGithubRelease.json"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.pins.bump", description=__doc__)
    parser.add_argument("version", help="of the npm package, such as 3.22.1")
    parser.add_argument("--dry-run", action="store_true", help="show what would change")
    args = parser.parse_args()
    return status_of(lambda: bump(args.version, dry_run=args.dry_run))


def bump(version: str, *, dry_run: bool) -> int:
    """Do it all; the exit status of the tests.

    Raises:
        InputError: a package is not there, or not what its registry says, or a build fails.
    """
    folder = native.directory()
    old = pins.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        sources, values = _opened(old, version, Path(scratch))
        lines = changes(flags(source.ready(old)), flags(sources))
    print("\n".join([f"Flags, {old.release} to {values['release']}:", *(lines or ["none"]), ""]))
    texts = {
        folder / "pins.toml": _new_pins(folder, version, values),
        folder / "gpu" / "modules.toml": _new_modules(folder, version, str(values["release"]), old),
    }
    for path, text in texts.items():
        print("".join(_difference(path, text)), end="")
    if dry_run:
        return 0
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="")
    build_web_ui()
    for target in for_this_machine():
        build(target)
    note("testing the new engine")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/engine", "tests/e2e"], check=False
    ).returncode


def _opened(old: Pins, version: str, scratch: Path) -> tuple[Path, dict[str, str | int]]:
    """The new sources, and the values that pin them."""
    integrity = _integrity(old, old.package, version)
    note(f"fetching {old.package} {version}")
    tarball = npm.download(old.package, version, old.node, scratch, layout.log("source"))
    npm.check_integrity(tarball, integrity)
    bundle = npm.extract(tarball, old.bundle, scratch / "release.bundle")
    stated = npm.extract(tarball, _RELEASE, scratch / "release.json")
    commit = _git("ls-remote", str(bundle), "HEAD").split()[0]
    sources = scratch / "llama.cpp"
    source.checkout(bundle, commit, sources)
    return sources, {
        "release": json.loads(stated.read_bytes())["release"],
        "commit": commit,
        "date": int(_git("-C", str(sources), "log", "-1", "--format=%ct")),
        "integrity": integrity,
    }


def _new_pins(folder: Path, version: str, values: dict[str, str | int]) -> str:
    text = (folder / "pins.toml").read_text(encoding="utf-8")
    for key in ("release", "commit", "date"):
        text = replaced(text, "llama-cpp", key, values[key])
    text = replaced(text, "source", "version", version)
    return replaced(text, "source", "integrity", values["integrity"])


def _new_modules(folder: Path, version: str, release: str, old: Pins) -> str:
    text = (folder / "gpu" / "modules.toml").read_text(encoding="utf-8")
    text = replaced(text, "package", "release", release)
    text = replaced(text, "package", "version", version)
    for module in gpu_pins.load(folder):
        integrity = _integrity(old, module.package, version)
        text = replaced(text, f"modules.{module.kind}.{module.target}", "integrity", integrity)
    return text


def _integrity(old: Pins, package: str, version: str) -> str:
    """The hash that the registry states for a package's tarball."""
    tool = npm.find(old.node)
    done = subprocess.run(
        [*tool.command, "view", f"{package}@{version}", "dist.integrity"],
        env=tool.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    stated = done.stdout.strip()
    if not stated.startswith("sha512-"):
        raise InputError(
            f"npm has no {package} {version}",
            "Choose a version that has the source and all GPU modules of native/gpu/modules.toml.",
        )
    return stated


def _difference(path: Path, text: str) -> list[str]:
    before = path.read_text(encoding="utf-8").splitlines(keepends=True)
    name = f"{path.parent.name}/{path.name}"
    return list(difflib.unified_diff(before, text.splitlines(keepends=True), name, name, n=0))


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
