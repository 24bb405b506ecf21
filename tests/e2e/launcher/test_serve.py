"""The launcher as a library: `runtime.serve` with a client that we did not write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from helpers.running import family, free_port, greedy, run, until_gone
from openai import AuthenticationError

import runtime

QUICK = {"context": 512, "gpu_layers": 0, "arguments": ["-t", "1"]}

HOLDER = """
import signal
# A shell in the background lets its programs ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, time, runtime
with runtime.serve(sys.argv[1], context=512, arguments=["-t", "1"]) as server:
    print(server.pid, server.url, flush=True)
    time.sleep(600)
"""


def ask(server: runtime.Server, key: str | None = None) -> str:
    return greedy(server.url, key=key or server.api_key)


def test_facts_without_a_start(demo_bundle: Path) -> None:
    facts = runtime.open(demo_bundle)
    assert (facts.architecture, facts.context_length) == ("llama", 1024)
    with pytest.raises(runtime.InputError, match="does not exist"):
        runtime.open("/no/such.gguf")


def test_a_client_is_answered_and_nothing_stays(demo_bundle: Path) -> None:
    with runtime.serve(demo_bundle, api_key="secret", **QUICK) as server:
        assert "llamafile" in ask(server)
        with pytest.raises(AuthenticationError):
            ask(server, "guessed")
        processes = family(server.pid)
        assert len(processes) >= 2
    until_gone(processes)


def test_nothing_stays_when_the_body_raises(demo_bundle: Path) -> None:
    processes = []

    def body() -> None:
        with runtime.serve(demo_bundle, **QUICK) as server:
            processes.extend(family(server.pid))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        body()
    assert processes
    until_gone(processes)


def test_a_thread_that_ends_does_not_end_the_server(demo_bundle: Path) -> None:
    """As in notebooks and web servers: PR_SET_PDEATHSIG alone would, it counts threads."""
    serving = runtime.serve(demo_bundle, **QUICK)
    started: list[runtime.Server] = []
    thread = threading.Thread(target=lambda: started.append(serving.__enter__()))
    thread.start()
    thread.join()
    try:
        time.sleep(0.5)
        assert "llamafile" in ask(started[0])
    finally:
        serving.__exit__(None, None, None)


@contextmanager
def holding(bundle: Path, code: str = HOLDER) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A Python program in the body of `serve`, and the pid of what it started."""
    command = [sys.executable, "-W", "ignore", "-c", code, str(bundle)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process, int(process.stdout.readline().split()[0])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_stays_when_the_program_is_killed(
    demo_bundle: Path, number: signal.Signals
) -> None:
    with holding(demo_bundle) as (process, pid):
        processes = family(pid)
        assert len(processes) >= 2
        process.send_signal(number)
        until_gone(processes)


def test_nothing_stays_when_the_keeper_is_killed(demo_bundle: Path) -> None:
    with holding(demo_bundle) as (_, pid):
        processes = family(pid)
        os.kill(pid, signal.SIGKILL)
        until_gone(processes)


def test_nothing_stays_when_the_program_is_killed_and_its_child_is_not(demo_bundle: Path) -> None:
    forking = "    import os\n    os.fork() or time.sleep(600)\n    print("
    code = HOLDER.replace("    print(", forking)
    with holding(demo_bundle, code) as (process, pid):
        processes = family(pid)
        children = [one for one in family(process.pid)[1:] if one not in processes]
        assert children
        try:
            process.kill()
            until_gone(processes)
        finally:
            for one in children:
                one.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_child_of_the_body_keeps_nothing_alive(demo_bundle: Path) -> None:
    """It holds the pipe to the keeper, as a worker of `multiprocessing` does."""
    child = 0
    try:
        with runtime.serve(demo_bundle, **QUICK) as server:
            child = os.fork()
            if not child:
                time.sleep(120)
                os._exit(0)
            processes = family(server.pid)
            ended = time.monotonic()
        assert time.monotonic() - ended < 15
        until_gone(processes)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class Another(BaseHTTPRequestHandler):
    """Answers as an engine that is ready."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_another_program_at_the_port_is_not_taken_for_the_engine(demo_bundle: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Another) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            with (
                pytest.raises(runtime.InputError, match="in use"),
                runtime.serve(demo_bundle, port=other.server_port, **QUICK),
            ):
                pass
        finally:
            other.shutdown()


def test_what_cannot_start_says_why(demo_bundle: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(runtime.InputError, match=r"context of 2,000,000,000 tokens needs"),
        runtime.serve(demo_bundle, context=2_000_000_000),
    ):
        pass
    log = tmp_path / "engine.log"
    with (
        pytest.raises(runtime.InputError, match="unknown argument: --nonsense"),
        runtime.serve(demo_bundle, arguments=["--nonsense"], port=free_port(), log=log),
    ):
        pass
    assert "--nonsense" in log.read_text()


def test_only_python_itself_is_needed(demo_bundle: Path) -> None:
    """No package besides, and nothing of the packer; downloads alone take `requests`."""
    script = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "import runtime, runtime.launch.cli, runtime.api\n"
        f"assert runtime.open({str(demo_bundle)!r}).architecture == 'llama'\n"
        "assert 'packer' not in sys.modules"
    )
    done = run([sys.executable, "-I", "-S", "-c", script])
    assert done.returncode == 0, done.stderr
