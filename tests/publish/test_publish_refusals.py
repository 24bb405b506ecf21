"""What `llamapack publish` refuses, and how it says what the Hub refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.hub_writer import READ_TOKEN, Branch, HubWriter, WrittenRepo
from helpers.stand_ins import CommandLine, Publish, Refused
from helpers.web_server import Answer


def test_without_a_token(publish: Publish, hub: HubWriter, refused: Refused) -> None:
    done = publish(HF_TOKEN="")
    assert "no token" in refused(done)
    assert "HF_TOKEN" in done.stderr
    assert "hf auth login" in done.stderr
    assert hub.log == []


def test_a_token_that_is_not_known(publish: Publish, refused: Refused) -> None:
    done = publish(HF_TOKEN="hf_old")
    assert "does not know your token" in refused(done)
    assert "hf_old" not in done.stderr


def test_a_token_that_may_only_read(publish: Publish, hub: HubWriter, refused: Refused) -> None:
    assert "may not write to acme/tiny" in refused(publish(HF_TOKEN=READ_TOKEN))
    hub.repos["acme/tiny"] = WrittenRepo()
    assert "may not write to acme/tiny" in refused(publish(HF_TOKEN=READ_TOKEN))


@pytest.mark.parametrize("where", ["/info/lfs/", "/commit/"])
def test_an_account_that_is_full(
    where: str, publish: Publish, hub: HubWriter, refused: Refused
) -> None:
    said = "Private repository storage limit reached, please upgrade your plan."
    hub.refusals[where] = Answer(403, {"X-Error-Message": said})
    done = publish()
    assert "storage limit reached" in refused(done)
    assert "settings/billing" in done.stderr


def test_one_file_that_the_hub_does_not_take(
    publish: Publish, hub: HubWriter, bundle: Path, refused: Refused
) -> None:
    oid = {"oid": "0" * 64, "size": 1, "error": {"code": 422, "message": "File is too large"}}
    body = json.dumps({"objects": [oid]}).encode()
    hub.refusals["/info/lfs/"] = Answer(200, {"Content-Type": "application/json"}, body)
    assert "File is too large" in refused(publish())


def test_somebody_else_was_faster(publish: Publish, hub: HubWriter, refused: Refused) -> None:
    hub.repos["acme/tiny"] = WrittenRepo()
    hub.refusals["/commit/"] = Answer(412)
    assert "was changed by somebody else" in refused(publish())


def test_files_of_others_stay(
    publish: Publish, hub: HubWriter, bundle: Path, refused: Refused
) -> None:
    """Files that differ, by size or only by content, and parts of a longer file that was there."""
    repo = hub.repos["acme/tiny"] = WrittenRepo()
    other = bytes(bundle.stat().st_size)
    for files, named in (
        ({"README.md": b"# Ours\n"}, "README.md is another file there"),
        ({"tiny.llamafile": b"\0old"}, "tiny.llamafile is another file there"),
        ({"tiny.llamafile": other}, "tiny.llamafile is another file there"),
        ({"tiny.llamafile.cat3": b"\0"}, "tiny.llamafile.cat3 of an earlier publication"),
    ):
        repo.branches["main"] = Branch("1" * 40, {"notes.txt": b"kept", **files})
        done = publish()
        assert named in refused(done)
        assert "--force" in done.stderr
        assert repo.files == {"notes.txt": b"kept", **files}
        assert publish("--force").returncode == 0
        assert repo.files["tiny.llamafile"] == bundle.read_bytes()
        assert "tiny.llamafile.cat3" not in repo.files
        assert repo.files["notes.txt"] == b"kept"


def test_parts_replace_the_whole_file(publish: Publish, hub: HubWriter) -> None:
    assert publish().returncode == 0
    rows = publish("--part-size", "150kB", "--force", "--dry-run").stdout.splitlines()
    assert rows[-1].split() == ["delete", "tiny.llamafile"]
    assert publish("--part-size", "150kB", "--force").returncode == 0
    assert "tiny.llamafile" not in hub.repos["acme/tiny"].files


def test_what_is_public_is_not_made_private(
    publish: Publish, hub: HubWriter, refused: Refused
) -> None:
    hub.repos["acme/tiny"] = WrittenRepo()
    assert "exists already and is public" in refused(publish("--private"))
    assert hub.commits == []


@pytest.mark.parametrize(
    "repo", ["tiny", "a/b/c", "acme/tiny:Q4", "https://elsewhere/a/b", "a b/c"]
)
def test_names_of_repositories(repo: str, publish: Publish, refused: Refused) -> None:
    assert "names no repository" in refused(publish("--repo", repo))


def test_other_words(
    publish: Publish, llamapack: CommandLine, gguf: Path, refused: Refused, tmp_path: Path
) -> None:
    assert "HF_HUB_OFFLINE" in refused(publish(HF_HUB_OFFLINE="1"))
    assert "is not a card" in refused(publish("--card", tmp_path))
    assert "is not a folder of templates" in refused(publish("--template", tmp_path / "no"))
    words = ("--repo", "acme/tiny", "--dry-run")
    assert "does not exist" in refused(llamapack("publish", tmp_path / "no.llamafile", *words))
    assert "is a directory" in refused(llamapack("publish", tmp_path, *words))
    refused(llamapack("publish", gguf, *words))


def test_without_the_library(bundle: Path, llamapack: CommandLine, refused: Refused) -> None:
    hidden = "import sys; sys.modules['huggingface_hub'] = None\n"
    done = llamapack("publish", bundle, "--repo", "acme/tiny", first=hidden)
    assert "huggingface_hub" in refused(done)
    assert "pip install huggingface_hub" in done.stderr
