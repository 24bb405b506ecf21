"""`llamapack publish` as a process, with the real `huggingface_hub`, against a stand-in Hub."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from helpers.hub_writer import TOKEN, HubWriter
from helpers.stand_ins import CommandLine, Publish
from huggingface_hub import ModelCard

FILES = {"tiny.llamafile", "tiny.llamafile.sha256", "README.md"}


def sha256sum(folder: Path, files: dict[str, bytes], name: str) -> None:
    """What a user does after downloading everything."""
    folder.mkdir()
    for file, data in files.items():
        (folder / file).write_bytes(data)
    subprocess.run(["sha256sum", "-c", name], cwd=folder, check=True, capture_output=True)


def test_a_repository_is_made(
    publish: Publish, hub: HubWriter, bundle: Path, tmp_path: Path
) -> None:
    done = publish()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{hub.url}/acme/tiny\n"
    repo = hub.repos["acme/tiny"]
    assert not repo.private
    assert set(repo.files) == FILES
    assert repo.files["tiny.llamafile"] == bundle.read_bytes()
    sha256sum(tmp_path / "there", repo.files, "tiny.llamafile.sha256")
    assert [commit["summary"] for commit in hub.commits] == ["Publish tiny.llamafile"]
    card = repo.files["README.md"].decode()
    assert f"curl -L -o tiny.llamafile {hub.url}/acme/tiny/resolve/main/tiny.llamafile\n" in card
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in card
    assert ModelCard(card).data.license == "apache-2.0"


def test_again_nothing_is_sent(publish: Publish, hub: HubWriter) -> None:
    assert publish().returncode == 0
    before = hub.storage.received
    done = publish("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {file["action"] for file in found["files"]} == {"present"}
    assert found["commit"] is None
    assert (hub.storage.received, len(hub.commits)) == (before, 1)


@pytest.mark.parametrize("chunk_size", [None, 70_001])
def test_parts_are_read_out_of_the_whole_file(
    chunk_size: int | None, publish: Publish, hub: HubWriter, bundle: Path, tmp_path: Path
) -> None:
    """In one request per part, and in several; nothing is written beside the bundle."""
    hub.chunk_size = chunk_size
    before = sorted(bundle.parent.iterdir())
    done = publish("--part-size", "150kB")
    assert done.returncode == 0, done.stderr
    assert sorted(path for path in bundle.parent.iterdir() if path.name != "hf") == before
    files = hub.repos["acme/tiny"].files
    names = [f"tiny.llamafile.cat{n}" for n in range(-(-bundle.stat().st_size // 150_000))]
    assert len(names) > 1
    assert set(files) == FILES - {"tiny.llamafile"} | set(names)
    assert b"".join(files[name] for name in names) == bundle.read_bytes()
    assert {len(files[name]) for name in names[:-1]} == {150_000}
    sha256sum(tmp_path / "there", files, "tiny.llamafile.sha256")
    assert f"cat {' '.join(names)} > tiny.llamafile\n" in files["README.md"].decode()


def test_parts_that_are_there_already(
    llamapack: CommandLine, hub: HubWriter, small_parts: Path, hub_environment: dict[str, str]
) -> None:
    for name in ("tiny.llamafile", "tiny.llamafile.cat1"):
        llamapack.ran("publish", small_parts / name, "--repo", "acme/tiny", **hub_environment)
    files = dict(hub.repos["acme/tiny"].files)
    card = files.pop("README.md").decode()
    assert files == {path.name: path.read_bytes() for path in small_parts.iterdir()}
    assert "parts of 130.0 kB" in card
    assert len(hub.commits) == 1


def test_an_interrupted_upload_goes_on(publish: Publish, hub: HubWriter, bundle: Path) -> None:
    hub.storage.break_after = 1
    done = publish("--part-size", "150kB")
    assert done.returncode == 1
    *_, error, tip = done.stderr.splitlines()
    assert error.startswith(f"ERROR the connection to {hub.url} failed")
    assert "not sent again" in tip
    assert hub.repos["acme/tiny"].files == {}
    assert 0 < hub.storage.received < bundle.stat().st_size
    hub.storage.break_after = None
    done = publish("--part-size", "150kB")
    assert done.returncode == 0, done.stderr
    cards = sum(len(data) for data in hub.repos["acme/tiny"].files.values())
    assert hub.storage.received <= cards
    assert f"{TOKEN}" not in done.stderr


def test_dry_run(publish: Publish, hub: HubWriter, bundle: Path) -> None:
    """It sends nothing, needs no token, and knows what is there."""
    done = publish("--dry-run", HF_TOKEN="")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["send"] * 3
    assert {row[2] for row in rows} == FILES
    assert rows[0][1:] == [f"{bundle.stat().st_size:,}", "tiny.llamafile"]
    assert hub.repos == {}
    assert {request.method for request in hub.log} == {"GET"}
    assert publish().returncode == 0
    files = json.loads(publish("--dry-run", "--json", HF_TOKEN="").stdout)["files"]
    assert {file["name"]: file["action"] for file in files} == dict.fromkeys(FILES, "present")
    assert files[0]["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()


def test_another_branch(publish: Publish, hub: HubWriter) -> None:
    assert publish().returncode == 0
    done = publish("--revision", "q8", "--force")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{hub.url}/acme/tiny/tree/q8\n"
    branches = hub.repos["acme/tiny"].branches
    assert b"/resolve/q8/tiny.llamafile" in branches["q8"].files["README.md"]
    assert b"/resolve/main/tiny.llamafile" in branches["main"].files["README.md"]


def test_a_private_repository(publish: Publish, hub: HubWriter) -> None:
    assert publish("--private").returncode == 0
    assert hub.repos["acme/tiny"].private


def test_the_token_of_a_login(publish: Publish, hub: HubWriter, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(f"{TOKEN}\n")
    done = publish(HF_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert set(hub.repos["acme/tiny"].files) == FILES


def test_a_card_of_ones_own(publish: Publish, hub: HubWriter, tmp_path: Path) -> None:
    card = tmp_path / "own.md"
    card.write_text("---\nlicense: mit\n---\n# Mine\n")
    assert publish("--card", card, "--message", "Mine").returncode == 0
    assert hub.repos["acme/tiny"].files["README.md"] == card.read_bytes()
    assert hub.commits[0]["summary"] == "Mine"


def test_what_the_hub_says_of_a_card(publish: Publish, hub: HubWriter, tmp_path: Path) -> None:
    """Warnings are passed on; errors come before anything large is sent."""
    hub.warnings = ["empty or missing yaml metadata"]
    card = tmp_path / "own.md"
    card.write_text("---\nlicense: nonsense\n---\n")
    done = publish("--card", card)
    assert done.returncode == 1
    assert "license: 'nonsense'" in done.stderr.splitlines()[0]
    assert hub.storage.received == 0
    card.write_text("# Mine\n")
    done = publish("--card", card)
    assert done.returncode == 0
    assert "empty or missing yaml metadata" in done.stderr.splitlines()[0]
    assert len(done.stderr.splitlines()) == 2
