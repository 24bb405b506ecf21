"""The command line with the engine that is built: it is asked about templates."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine

from packer.engines import layout


@pytest.fixture
def llamapack(llamapack: CommandLine) -> CommandLine:
    cache = Path(llamapack.environment["LLAMAPACK_BUILD_CACHE"])
    cache.mkdir()
    (cache / "engines").symlink_to(layout.engines())
    return llamapack
