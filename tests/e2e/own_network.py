"""A network of its own, in which the ports that cards name are free."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest


class OwnNetwork:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._enter = ["nsenter", "-t", str(process.pid), "-U", "-n", "--preserve-credentials"]

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """What runs a command there."""
        return [*self._enter, *map(str, words)]


@contextmanager
def own_network() -> Iterator[OwnNetwork]:
    script = "ip link set lo up && echo ready && exec cat"
    try:
        process = subprocess.Popen(
            ["unshare", "-rn", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no unshare here (apt-get install util-linux): port 8080 may be somebody's")
    assert process.stdin
    assert process.stdout
    try:
        if process.stdout.readline() != "ready\n":
            pytest.skip("no network of its own here (unshare -rn): port 8080 may be somebody's")
        yield OwnNetwork(process)
    finally:
        process.stdin.close()
        process.wait(30)
