"""What `pack` takes from a repository besides weights: card, licences, sampling defaults."""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.hub_server import COMMIT, HubServer, Repo
from helpers.stand_ins import CommandLine, Refused, write_gguf

Run = Callable[..., subprocess.CompletedProcess[str]]

CARD = b"""---
license: gemma
license_link: LICENSE
base_model: org/see
quantized_by: somebody
language: [en, no]
extra_gated_heading: Agree
inference:
  parameters:
    temperature: 0.5
widget:
- text: Who are you?
---
# See
"""
GENERATION = {"do_sample": True, "temperature": 0.6, "top_k": 64, "max_new_tokens": 99}


@pytest.fixture
def model(tmp_path: Path, hub: HubServer) -> Repo:
    hub.repos["org/see-GGUF"] = repo = Repo(
        {
            "LICENSE": b"Terms.\n",
            "NOTICE.txt": b"Notice.\n",
            "README.md": CARD,
            "docs/LICENSE": b"of something else",
            "generation_config.json": json.dumps(GENERATION).encode(),
            "see-Q8_0.gguf": write_gguf(tmp_path / "made.gguf").read_bytes(),
        }
    )
    return repo


@pytest.fixture
def run(hub: HubServer, llamapack: CommandLine, tmp_path: Path) -> Run:
    def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return llamapack(
            *words,
            cwd=tmp_path,
            **{
                "HF_ENDPOINT": hub.url,
                "HF_HOME": str(tmp_path / "hf"),
                "NO_PROXY": "*",
                **environment,
            },
        )

    return call


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith(".gguf")]
        return {
            name: archive.read(name) for name in names if not name.startswith(("en", "tls", "web"))
        }


def card(path: Path) -> Any:
    return json.loads(members(path)["llamapack.json"])["card"]


def test_documents_come_along(model: Repo, run: Run, hub: HubServer, tmp_path: Path) -> None:
    done = run("pack", "hf:org/see-GGUF")
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / done.stdout.strip()
    found = members(bundle)
    assert list(found) == [
        "card/BASE.md", "licenses/model/LICENSE", "licenses/model/NOTICE.txt", ".args",
        "llamapack.json",
    ]  # fmt: skip
    assert found["card/BASE.md"] == CARD
    assert found["licenses/model/NOTICE.txt"] == b"Notice.\n"
    assert found[".args"] == b"-m\nsee-Q8_0.gguf\n--temp\n0.5\n--top-k\n64\n"
    assert card(bundle) == {
        "license": "gemma",
        "license_link": "LICENSE",
        "base_model": "org/see",
        "quantized_by": "somebody",
        "language": ["en", "no"],
        "extra_gated_heading": "Agree",
        "inference": {"parameters": {"temperature": 0.5}},
        "widget": [{"text": "Who are you?"}],
    }
    (note,) = (line for line in done.stderr.splitlines() if "licence" in line)
    assert note == (
        "licence of the weights: gemma, with terms of use, and its repository is gated; "
        f"see {hub.url}/org/see-GGUF/blob/main/LICENSE"
    )
    # Everything is in the cache now.
    first = bundle.read_bytes()
    again = run("pack", "hf:org/see-GGUF", "--offline", "--force", "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert bundle.read_bytes() == first


def test_the_same_file_whatever_is_in_the_cache(model: Repo, run: Run, tmp_path: Path) -> None:
    run("fetch", "hf:org/see-GGUF")
    packed = [
        run("pack", f"hf:org/see-GGUF/see-Q8_0.gguf@{COMMIT}", "-q", "-o", f"{number}.llamafile")
        for number in range(2)
    ]
    assert [done.returncode for done in packed] == [0, 0], packed
    assert card(tmp_path / "0.llamafile")["license"] == "gemma"
    assert (tmp_path / "0.llamafile").read_bytes() == (tmp_path / "1.llamafile").read_bytes()


def test_what_the_user_says_comes_first(model: Repo, run: Run, tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Mine.\n")
    done = run(
        "pack", "hf:org/see-GGUF", "--card-field", "license=mit", "--card-field", "widget=",
        "--sampling", "temperature=0", "--license", "LICENSE", "--args", "--top-k 1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = members(tmp_path / "see-Q8_0.llamafile")
    assert found["licenses/model/LICENSE"] == b"Mine.\n"
    assert found[".args"] == b"-m\nsee-Q8_0.gguf\n--temp\n0\n--top-k\n64\n--top-k 1\n"
    facts = card(tmp_path / "see-Q8_0.llamafile")
    assert facts["license"] == "mit"
    assert "widget" not in facts
    done = run("pack", "hf:org/see-GGUF", "--card", "none", "--sampling", "none", "--force")
    assert done.returncode == 0, done.stderr
    found = members(tmp_path / "see-Q8_0.llamafile")
    assert "card/BASE.md" not in found
    assert "licenses/model/LICENSE" in found
    assert found[".args"] == b"-m\nsee-Q8_0.gguf\n"
    assert "card" not in json.loads(found["llamapack.json"])


def test_the_base_model_has_its_own_repository(
    model: Repo, hub: HubServer, run: Run, tmp_path: Path, refused: Refused
) -> None:
    text = b"---\nlicense: apache-2.0\nbase_model: org/pretrained\n---\n# See\n"
    hub.repos["org/see"] = base = Repo({"README.md": text, "LICENSE": b"Base.\n"})
    done = run("pack", "hf:org/see-GGUF", "--card", "hf:org/see")
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "see-Q8_0.llamafile"
    assert card(bundle) == {
        "license": "apache-2.0", "base_model": "org/see", "base_model_relation": "quantized",
    }  # fmt: skip
    found = members(bundle)
    assert found["card/BASE.md"] == text
    assert found["licenses/model/LICENSE"] == b"Base.\n"
    assert b"--top-k\n64\n" in found[".args"]
    bundle.unlink()
    del base.files["README.md"]
    assert "org/see has no model card" in refused(
        run("pack", "hf:org/see-GGUF", "--card", "hf:org/see", HF_HOME=str(tmp_path / "other"))
    )


def test_a_base_model_for_those_who_agreed(
    model: Repo, hub: HubServer, run: Run, refused: Refused
) -> None:
    """What the shipped recipes run into where nobody accepted the terms."""
    hub.repos["org/see"] = Repo({"README.md": b"# See\n"}, token="mine", gated=True)
    done = run("pack", "hf:org/see-GGUF", "--card", "hf:org/see", HF_TOKEN="")
    assert "hf:org/see is gated" in refused(done)
    assert f"Accept them at {hub.url}/org/see, then" in done.stderr
    assert "To pack without a card, add `--card none`." in done.stderr
    assert run("pack", "hf:org/see-GGUF", "--card", "none", HF_TOKEN="").returncode == 0


def test_a_broken_card_is_named(model: Repo, run: Run, refused: Refused, tmp_path: Path) -> None:
    model.files["README.md"] = b"---\nlicense: [\n---\n"
    assert "hf:org/see-GGUF/README.md, line" in refused(run("pack", "hf:org/see-GGUF"))
    assert not list(tmp_path.glob("*.llamafile*"))
