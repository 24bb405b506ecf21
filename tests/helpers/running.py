"""Starting real bundles of the demo model as users start them, and asking them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil

from ci import upstream

if TYPE_CHECKING:
    from openai import OpenAI

ENGINES = ("linux-x86_64", "linux-x86_64-static", "linux-aarch64-static", "windows-x86_64")
"""Those of the bundle that tests start: they run here, or in Wine and qemu."""
QUESTION = "What is a llamafile?"
CLI = ["--cli", "-p", QUESTION, "-n", "16", "--temp", "0"]
PACKER = [sys.executable, "-m", "packer"]


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    typed: bytes | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, with nothing to read or with what is piped in."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if typed is None else {"input": typed}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=os.environ | environment, capture_output=True, check=False, timeout=300,
        **given,
    )  # fmt: skip


def llamapack(
    *words: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `llamapack` as a user would."""
    return subprocess.run(
        [*PACKER, *map(str, words)],
        cwd=cwd, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=600,
    )  # fmt: skip


def succeed(*words: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """The same, which must succeed: what it prints on stdout."""
    found = llamapack(*words, cwd=cwd, **environment)
    assert found.returncode == 0, found.stderr
    return found.stdout


def pack(*words: str | Path, output: Path) -> Path:
    """Run `llamapack pack`."""
    pack_saying("-q", *words, output=output)
    return output


def pack_saying(*words: str | Path, output: Path) -> str:
    """The same, for what it says on stderr. GPU modules only where a test asks for them."""
    if "--gpu" not in words:
        words = (*words, "--gpu", "none")
    found = llamapack("pack", *words, "-o", output)
    assert found.returncode == 0, found.stderr
    return found.stderr


def append_members(bundle: Path, members: Mapping[str, str | bytes], method: int = 0) -> Path:
    """Add members to a bundle or replace them, as any ZIP program can."""
    with warnings.catch_warnings(), zipfile.ZipFile(bundle, "a", method) as archive:
        warnings.simplefilter("ignore")  # It says that there is an older member of the name.
        for name, content in members.items():
            archive.writestr(name, content)
    return bundle


def answer(bundle: Path, *words: str | Path, cwd: Path | None = None, **env: str) -> bytes:
    """What a bundle prints on stdout for the one question of these tests."""
    found = run(["sh", bundle, *CLI, *words], cwd=cwd, **env)
    assert found.returncode == 0, found.stderr.decode()
    return found.stdout


def upstream_answer(model: Path, *words: str, runs: int) -> bytes:
    """What upstream's own program prints for a bare GGUF. It prints through a thread that it does
    not wait for at its end, so that now and then the tail is missing: the longest of some runs."""
    program = upstream.ready(upstream.COMPLETION)
    found = [run([program, "-m", model, "-no-cnv", *words]) for _ in range(runs)]
    assert {done.returncode for done in found} == {0}, found[0].stderr.decode()
    longest = max((done.stdout for done in found), key=len)
    assert all(longest.startswith(done.stdout) for done in found)
    return longest


def refusal(found: subprocess.CompletedProcess[Any]) -> tuple[str, str]:
    """The ERROR and the TIP, without these words, of a start that did nothing else."""
    said = found.stderr if isinstance(found.stderr, str) else found.stderr.decode()
    notes = ("CPU: ", "memory: ", "sandbox: ", "packing the engine")
    lines = [line for line in said.splitlines() if not line.startswith(notes)]
    assert (found.returncode, found.stdout or "") == (1, ""), found
    assert [line.partition(" ")[0] for line in lines] == ["ERROR", "TIP"], said
    return lines[0].removeprefix("ERROR "), lines[1].removeprefix("TIP ")


def fetched(url: str, body: object = None) -> Any:
    """What a server answers to a GET, or to a POST of this value."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=300) as reply:
        return json.load(reply)


def client(url: str, key: str = "none") -> OpenAI:
    from openai import OpenAI  # takes a second to import

    return OpenAI(base_url=f"{url}/v1", api_key=key, timeout=300)


def greedy(url: str, model: str = "demo", key: str = "none", **settings: Any) -> str:
    """What a server answers to the question."""
    found = client(url, key).chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        **settings,
    )
    return str(found.choices[0].message.content or "")


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
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=cwd)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        until_healthy(server.url, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def until_gone(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]
