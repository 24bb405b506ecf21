"""Options are checked by an engine that can be asked, and only by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from packer.bundle.args import check_options
from packer.engines.targets import for_this_machine
from runtime.errors import InputError

_ENGINE = """#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/words"
for word; do
    case $word in --bad | '$NAME') echo "ERROR unknown argument: $word" >&2; exit 1 ;; esac
done
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    program = tmp_path / for_this_machine()[0].executable
    program.write_text(_ENGINE)
    program.chmod(0o755)
    return tmp_path


def test_what_the_engine_does_not_know(engine: Path) -> None:
    here = {for_this_machine()[0].name: engine}
    check_options(["-c", "...", "x"], here)
    words = (engine / "words").read_text().split()
    assert words == ["--version", "-c", "--version", "x"]  # in place of the user's words
    with pytest.raises(InputError, match="'--bad'") as problem:
        check_options(["-c", "1", "--bad"], here)
    assert problem.value.tip
    check_options(["$NAME"], here)  # who knows what it stands for


def test_engines_that_cannot_be_asked(engine: Path) -> None:
    here = for_this_machine()[0]
    check_options(["--bad"], {})
    check_options(["--bad"], {"openbsd-aarch64": engine})
    check_options(["--bad\0"], {here.name: engine})
    check_options([], {here.name: engine})
    (engine / here.executable).chmod(0o644)
    check_options(["--bad"], {here.name: engine})
    assert not (engine / "words").exists()
