"""`hf:` sources end to end: the command line against a stand-in for the Hub."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from helpers.hub_server import COMMIT, HubServer, Repo
from helpers.stand_ins import Refused
from helpers.web_server import Page
from hub_commands import Run, gguf, snapshot

from runtime.formats.bundle import Bundle

LARGE = random.Random(6).randbytes((5 << 20) + 7)


@pytest.mark.parametrize(
    ("word", "files"),
    [
        ("hf:org/see-GGUF", ["see-Q4_K_M.gguf"]),
        ("hf:org/see-GGUF:q2_k", ["see-Q2_K.gguf"]),
        ("hf:org/see-GGUF:Q8_0", [f"Q8_0/see-Q8_0-0000{n}-of-00002.gguf" for n in (1, 2)]),
        ("hf:org/see-GGUF/see-Q2_K.gguf", ["see-Q2_K.gguf"]),
        ("hf:org/see-GGUF/README.md", ["README.md"]),
        (f"hf:org/see-GGUF:Q2_K@{COMMIT}", ["see-Q2_K.gguf"]),
        ("hf:org/see-GGUF:Q2_K@v1/x", ["see-Q2_K.gguf"]),
        ("PAGE/org/see-GGUF/blob/main/see-Q2_K.gguf", ["see-Q2_K.gguf"]),
        ("PAGE/org/see-GGUF/resolve/main/see-Q2_K.gguf?download=true", ["see-Q2_K.gguf"]),
        ("PAGE/org/see-GGUF", ["see-Q4_K_M.gguf"]),
    ],
)
def test_fetch_into_the_cache(  # noqa: PLR0917
    word: str, files: list[str], model: Repo, run: Run, hub: HubServer, tmp_path: Path
) -> None:
    done = run("fetch", word.replace("PAGE", hub.url))
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert paths == [snapshot(tmp_path) / file for file in files], done.stderr
    for path, file in zip(paths, files, strict=True):
        assert path.read_bytes() == model.files[file]
        target = path.readlink()
        assert not target.is_absolute()
        assert path.resolve().parent.name == "blobs"
    refs = snapshot(tmp_path).parent.parent / "refs"
    found = {p.relative_to(refs).as_posix(): p.read_text() for p in refs.rglob("*") if p.is_file()}
    revision = word.partition("@")[2] or "main"
    assert found == ({} if revision == COMMIT else {revision: COMMIT})
    assert not [p for p in (tmp_path / "hf").rglob("*") if "incomplete" in p.name]


def test_what_is_here_is_not_fetched_again(model: Repo, run: Run, hub: HubServer) -> None:
    done = run("fetch", "hf:org/see-GGUF:Q8_0")
    before = len(hub.contents.log)
    again = run("fetch", "hf:org/see-GGUF:Q8_0")
    assert len(hub.contents.log) == before
    before = len(hub.log)
    first = run("fetch", f"hf:org/see-GGUF/Q8_0/see-Q8_0-00001-of-00002.gguf@{COMMIT}")
    assert done.stdout == again.stdout == first.stdout
    assert len(hub.log) == before  # a commit never changes


def test_pack(model: Repo, run: Run, tmp_path: Path) -> None:
    done = run("pack", "hf:org/see-GGUF:Q8_0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "see-Q8_0.llamafile\n"
    with Bundle.open(tmp_path / "work" / "see-Q8_0.llamafile") as bundle:
        assert [m.name for m in bundle.weights] == [
            "see-Q8_0-00001-of-00002.gguf", "see-Q8_0-00002-of-00002.gguf", "mmproj-see-F16.gguf",
        ]  # fmt: skip
    done = run("pack", "hf:org/see-GGUF", "--mmproj", "none", "-o", "blind.llamafile", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    with Bundle.open(tmp_path / "work" / "blind.llamafile") as bundle:
        assert [m.name for m in bundle.weights] == ["see-Q4_K_M.gguf"]
    done = run("pack", "hf:org/see-GGUF", "--mmproj", "auto", "-o", "eyes.llamafile", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    with Bundle.open(tmp_path / "work" / "eyes.llamafile") as bundle:
        assert [m.name for m in bundle.weights] == ["see-Q4_K_M.gguf", "mmproj-see-F16.gguf"]
        assert bundle.args == "-m\nsee-Q4_K_M.gguf\n--mmproj\nmmproj-see-F16.gguf\n"


def test_fetch_into_a_folder(model: Repo, run: Run, tmp_path: Path, hub: HubServer) -> None:
    """Straight there, without a copy in the cache; or from the cache, as a file of its own."""
    done = run("fetch", "hf:org/see-GGUF:Q8_0", "-o", "here", "--mmproj")
    here = tmp_path / "work" / "here"
    names = [*(f"see-Q8_0-0000{n}-of-00002.gguf" for n in (1, 2)), "mmproj-see-F16.gguf"]
    assert done.stdout.split() == [f"here/{name}" for name in names], done.stderr
    assert sorted(p.name for p in here.iterdir()) == sorted(names)
    assert (here / names[0]).read_bytes() == model.files[f"Q8_0/{names[0]}"]
    assert not list((tmp_path / "hf" / "hub").glob("models--*"))
    run("fetch", "hf:org/see-GGUF")
    before = len(hub.contents.log)
    done = run("fetch", "hf:org/see-GGUF", "-o", "here")
    assert len(hub.contents.log) == before
    copied = here / "see-Q4_K_M.gguf"
    assert (copied.read_bytes(), copied.is_symlink()) == (model.files[copied.name], False)
    assert copied.stat().st_nlink == 1


def test_a_new_commit(model: Repo, run: Run, tmp_path: Path) -> None:
    run("fetch", "hf:org/see-GGUF")
    model.commit = "f" * 40
    model.files["see-Q4_K_M.gguf"] = gguf(tmp_path, name="newer")
    done = run("fetch", "hf:org/see-GGUF", "hf:org/see-GGUF:Q2_K")
    first, second = map(Path, done.stdout.split())
    assert first.read_bytes() == model.files["see-Q4_K_M.gguf"]
    assert first.parent == second.parent == snapshot(tmp_path, "f" * 40)
    assert (snapshot(tmp_path).parent.parent / "refs" / "main").read_text() == "f" * 40
    assert (snapshot(tmp_path) / "see-Q4_K_M.gguf").exists()


def test_unchanged_files_of_a_new_commit_are_not_fetched(
    model: Repo, run: Run, tmp_path: Path, hub: HubServer
) -> None:
    run("fetch", "hf:org/see-GGUF")
    model.commit = "f" * 40
    before = len(hub.contents.log)
    done = run("fetch", "hf:org/see-GGUF")
    assert Path(done.stdout.strip()).read_bytes() == model.files["see-Q4_K_M.gguf"]
    assert len(hub.contents.log) == before


def test_without_the_network(model: Repo, run: Run, refused: Refused, hub: HubServer) -> None:
    run("fetch", "hf:org/see-GGUF:Q8_0")
    before = len(hub.log)
    for offline in ({"HF_HUB_OFFLINE": "1"}, {"TRANSFORMERS_OFFLINE": "yes"}):
        assert "00002-of-00002" in run("fetch", "hf:org/see-GGUF:Q8_0", **offline).stdout
        assert "the network is off" in refused(run("fetch", "hf:org/see-GGUF:Q2_K", **offline))
    assert "the network is off" in refused(run("fetch", "hf:org/other", "--offline"))
    assert len(hub.log) == before


def test_breaks_and_ranges(model: Repo, run: Run, hub: HubServer, tmp_path: Path) -> None:
    model.files["big-Q6_K.gguf"] = LARGE
    hub.contents_page = Page(b"", cut=400_000)
    done = run("fetch", "hf:org/see-GGUF:Q6_K")
    assert Path(done.stdout.strip()).read_bytes() == LARGE
    assert len(hub.contents.seen("range")) > 10
    assert not [p for p in (tmp_path / "hf").rglob("*") if "incomplete" in p.name]


def test_a_partial_blob_is_no_blob(model: Repo, run: Run, tmp_path: Path, refused: Refused) -> None:
    """Half a file under every name that an unfinished one may have."""
    data = model.files["see-Q4_K_M.gguf"]
    sha256 = hashlib.sha256(data).hexdigest()
    blobs = snapshot(tmp_path).parent.parent / "blobs"
    blobs.mkdir(parents=True)
    for ending in ("incomplete", "llamapack.incomplete", "12345678.incomplete"):
        (blobs / f"{sha256}.{ending}").write_bytes(data[:100])
    assert refused(run("fetch", "hf:org/see-GGUF", "--offline"))
    done = run("fetch", "hf:org/see-GGUF")
    assert Path(done.stdout.strip()).read_bytes() == data
