"""Bundles that state something for their card."""

from __future__ import annotations

import json
import subprocess
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from carding import Card, Stating
from helpers.stand_ins import CommandLine


@pytest.fixture
def stating(bundle: Path) -> Stating:
    """The small bundle with facts in its manifest's `card`, and other members."""

    def make(card: Mapping[str, Any], members: Mapping[str, str] | None = None) -> Path:
        with warnings.catch_warnings(), zipfile.ZipFile(bundle, "a") as archive:
            warnings.simplefilter("ignore")  # that the name is there twice; the later entry wins
            manifest = json.loads(archive.read("llamapack.json"))
            manifest["card"] = card
            archive.writestr("llamapack.json", json.dumps(manifest))
            for name, text in (members or {}).items():
                archive.writestr(name, text)
        return bundle

    return make


@pytest.fixture
def card(llamapack: CommandLine) -> Card:
    """What `llamapack card` prints."""

    def run(*words: str | Path) -> str:
        done: subprocess.CompletedProcess[str] = llamapack("card", *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run
