"""Servers of a real model that clients ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from helpers.running import Server, serving


@pytest.fixture(scope="module")
def smol(smollm2: Path) -> Iterator[Server]:
    """Its template knows no tools."""
    with serving(smollm2, "--embeddings", "--pooling", "mean") as started:
        yield started


@pytest.fixture(scope="module")
def tools(smollm2: Path) -> Iterator[Server]:
    """A template that does."""
    template = REPOSITORY / "templates" / "chat" / "qwen.jinja"
    with serving(smollm2, "--chat-template-file", str(template), "--parallel", "4") as started:
        yield started
