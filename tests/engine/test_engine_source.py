from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_release import Release, pack

from packer.engines import npm, pins, source
from runtime.errors import InputError


@pytest.fixture
def downloads(cache_root: Path, release: Release, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Puts the small release where npm would put the package; lists the downloads made."""
    made: list[Path] = []

    def download(package: str, version: str, node: str, folder: Path, log: Path) -> Path:
        made.append(Path(shutil.copy2(release.tarball, folder)))
        return made[-1]

    monkeypatch.setattr(npm, "download", download)
    return made


def leftovers(cache_root: Path) -> list[str]:
    return [path.name for path in (cache_root / "source").iterdir()]


def test_sources_are_fetched_once(
    small_native: Path, cache_root: Path, downloads: list[Path]
) -> None:
    pinned = pins.load(small_native)
    place = source.ready(pinned)
    assert place == cache_root / "source" / "llama.cpp-v0.4.0"
    assert (place / "llama.h").read_text() == "// llama\n"
    assert source.ready(pinned) == place
    assert len(downloads) == 1
    assert leftovers(cache_root) == ["llama.cpp-v0.4.0"]


def test_a_tampered_tarball_is_refused(
    small_native: Path, cache_root: Path, release: Release, downloads: list[Path]
) -> None:
    pinned = pins.load(small_native)
    data = bytearray(release.tarball.read_bytes())
    data[len(data) // 2] ^= 1
    release.tarball.write_bytes(data)
    with pytest.raises(InputError) as caught:
        source.ready(pinned)
    assert caught.value.message.startswith(
        "small-1.0.0.tgz differs from the pinned file: expected sha512-"
    )
    assert leftovers(cache_root) == []


def test_a_tarball_without_the_bundle_is_refused(release: Release, tmp_path: Path) -> None:
    pack(release.tarball, {"package/README": b"nothing"})
    with pytest.raises(InputError, match=r"small-1\.0\.0\.tgz: it does not contain `package/x`"):
        npm.extract(release.tarball, "package/x", tmp_path / "x")


def test_a_truncated_tarball_is_refused(release: Release, tmp_path: Path) -> None:
    release.tarball.write_bytes(release.tarball.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"small-1\.0\.0\.tgz: "):
        npm.extract(release.tarball, "package/evil.js", tmp_path / "x")


def test_another_commit_is_refused(
    small_native: Path, cache_root: Path, release: Release, downloads: list[Path]
) -> None:
    path = small_native / "pins.toml"
    path.write_text(path.read_text().replace(release.commit, "0" * 40))
    with pytest.raises(InputError, match=f"expected {'0' * 40}, got {release.commit}"):
        source.ready(pins.load(small_native))
    assert leftovers(cache_root) == []


def test_changed_sources_are_refused(
    small_native: Path, cache_root: Path, downloads: list[Path]
) -> None:
    pinned = pins.load(small_native)
    (source.ready(pinned) / "llama.h").write_text("// patched\n")
    with pytest.raises(InputError, match=r"`llama\.h` was changed") as caught:
        source.ready(pinned)
    assert "engine clean --all" in caught.value.tip


def test_a_git_hook_that_runs_us_does_not_redirect_git(
    small_native: Path, downloads: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert (source.ready(pins.load(small_native)) / ".git").is_dir()
