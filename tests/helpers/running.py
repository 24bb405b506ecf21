"""Starting real bundles of the demo model as users start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ENGINES = ("linux-x86_64", "linux-x86_64-static", "linux-aarch64-static", "windows-x86_64")
"""Those of the bundle that tests start: they run here, or in Wine and qemu."""
QUESTION = "What is a llamafile?"
CLI = ["--cli", "-p", QUESTION, "-n", "16", "--temp", "0"]


def pack(*words: str | Path, output: Path) -> Path:
    """Run `llamapack pack` as a user would."""
    pack_saying("-q", *words, output=output)
    return output


def pack_saying(*words: str | Path, output: Path) -> str:
    """The same, for what it says on stderr. GPU modules only where a test asks for them."""
    if "--gpu" not in words:
        words = (*words, "--gpu", "none")
    command = [sys.executable, "-m", "packer", "pack", *map(str, words), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stderr


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, with nothing to read; two minutes are enough for all of these."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def answer(bundle: Path, *words: str | Path, cwd: Path | None = None, **env: str) -> bytes:
    """What a bundle prints on stdout for the one question of these tests."""
    done = run(["sh", bundle, *CLI, *words], cwd=cwd, **env)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server that `process` is has loaded its model."""
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, f"the server left with {process.returncode}"
        assert time.monotonic() < deadline, "the server does not answer"
        try:
            with urlopen(f"{url}/health", timeout=2) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(bundle: Path, *words: str, cwd: Path | None = None) -> Iterator[Server]:
    """A bundle started with --server, from the moment it answers until the body ends."""
    port = free_port()
    command = ["sh", str(bundle), "--server", "--nobrowser", "--port", str(port), *words]
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        until_healthy(server.url, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)
