"""Bundles from recipes with the real engine: the same bytes as by flags, and defaults that hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

from helpers.repository import DEMO, REPOSITORY
from helpers.running import QUESTION, pack, run, serving

RECIPE = REPOSITORY / "templates" / "recipes" / "demo.toml"
TARGETS = ("--targets", "linux-x86_64,linux-x86_64-static")


def packed(*words: str | Path, output: Path) -> Path:
    command = [sys.executable, "-m", "packer", "pack", *words, "-o", output, "-q"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    return output


def test_recipe_flags_and_round_trip(engines: object, tmp_path: Path) -> None:
    from_recipe = packed(
        "--recipe", RECIPE, *TARGETS, "--gpu", "none", output=tmp_path / "recipe.llamafile"
    )
    from_flags = pack(
        DEMO, *TARGETS, "--card-field", "title=llamapack demo", "--card-field", "language=en",
        "--card-field", "pipeline_tag=text-generation", output=tmp_path / "flags.llamafile",
    )  # fmt: skip
    assert from_recipe.read_bytes() == from_flags.read_bytes()
    command = [sys.executable, "-m", "packer", "inspect", "--recipe", from_recipe]
    text = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True).stdout
    (tmp_path / "again.toml").write_bytes(text)
    again = packed("--recipe", tmp_path / "again.toml", output=tmp_path / "again.llamafile")
    assert again.read_bytes() == from_recipe.read_bytes()


def test_defaults_reach_the_server(engines: object, tmp_path: Path) -> None:
    bundle = pack(
        DEMO, *TARGETS, "--ctx-size", "256", "--sampling", "temperature=0", "--sampling",
        "top_k=7", "--sampling", "stop= program", output=tmp_path / "defaults.llamafile",
    )  # fmt: skip
    question = {"messages": [{"role": "user", "content": QUESTION}]}
    with serving(bundle) as server:
        with urlopen(f"{server.url}/props", timeout=60) as reply:
            settings = json.load(reply)["default_generation_settings"]
        chat = Request(
            f"{server.url}/v1/chat/completions",
            json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(chat, timeout=120) as reply:
            answer = json.load(reply)["choices"][0]["message"]["content"]
    assert settings["n_ctx"] == 256
    assert (settings["params"]["temperature"], settings["params"]["top_k"]) == (0, 7)
    assert answer == "A llamafile is one file that holds a language model and the"


def test_licenses_of_the_weights_are_printed(engines: object, tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("Terms of the weights.\n")
    (tmp_path / "USE_POLICY.md").write_text("Use them well.\n")
    bundle = pack(
        DEMO, *TARGETS, "--license", tmp_path / "LICENSE", "--license", tmp_path / "USE_POLICY.md",
        output=tmp_path / "licensed.llamafile",
    )  # fmt: skip
    text = run(["sh", bundle, "--licenses"]).stdout.decode()
    assert "MIT License" in text
    title = "License for the weights: {}\n{}\n\n{}\n"
    for name, terms in ("LICENSE", "Terms of the weights."), ("USE_POLICY.md", "Use them well."):
        assert title.format(name, "=" * (25 + len(name)), terms) in text
