"""`llamapack fetch` and `pack` with addresses, as processes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from fetcher import DATA
from helpers.stand_ins import CommandLine, Refused, write_gguf
from helpers.web_server import Answer, Page, WebServer

_SLOW = """
import runtime.hub.transfer as transfer, time
read = transfer._read
def slow(response):
    time.sleep(0.3)
    return read(response)
transfer._read = slow
"""


def test_two_processes_at_once(tmp_path: Path, web: WebServer, llamapack: CommandLine) -> None:
    """One waits for the other, and both have the file."""
    web.pages["/m.gguf"] = Page(DATA)
    words = ["fetch", f"{web.url}/m.gguf", "-o", str(tmp_path / "here")]
    both = [
        subprocess.Popen(
            llamapack.command(*words, first=_SLOW),
            env={**llamapack.environment, "NO_PROXY": "*"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert (tmp_path / "here" / "m.gguf").read_bytes() == DATA
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["m.gguf"]
    assert len(web.log) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_run_again(
    number: signal.Signals, tmp_path: Path, web: WebServer, llamapack: CommandLine
) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    words = ["fetch", f"{web.url}/m.gguf", "-o", str(tmp_path / "here")]
    state = tmp_path / "here" / ".m.gguf.llamapack.incomplete.json"
    with subprocess.Popen(
        llamapack.command(*words, first=_SLOW), env=llamapack.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (state.exists() and json.loads(state.read_text())["done"]):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (tmp_path / "here" / "m.gguf").exists()
    done = llamapack(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here" / "m.gguf").read_bytes() == DATA
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["m.gguf"]
    first, second = web.log
    assert "range" not in first.headers
    assert int(second.headers["range"].removeprefix("bytes=").strip("-")) > 1 << 20


def test_fetch_replaces_nothing(
    tmp_path: Path, web: WebServer, llamapack: CommandLine, refused: Refused
) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    (tmp_path / "m.gguf").write_text("precious")
    words = ("fetch", f"{web.url}/m.gguf")
    assert "exists already" in refused(llamapack(*words, cwd=tmp_path))
    assert (tmp_path / "m.gguf").read_text() == "precious"
    web.pages["/m.gguf"] = Answer(404)
    assert "404" in refused(llamapack(*words, "--force", cwd=tmp_path))
    assert (tmp_path / "m.gguf").read_text() == "precious"
    web.pages["/m.gguf"] = Page(DATA)
    done = llamapack(*words, "--force", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("m.gguf\n", 0)
    assert (tmp_path / "m.gguf").read_bytes() == DATA


def test_pack_takes_addresses(tmp_path: Path, web: WebServer, llamapack: CommandLine) -> None:
    model = write_gguf(tmp_path / "far.gguf")
    web.pages["/a/far.gguf"] = Page(model.read_bytes())
    model.unlink()
    url = f"{web.url}/a/far.gguf"
    first = llamapack("pack", url, cwd=tmp_path)
    assert (first.stdout, first.returncode) == ("far.llamafile\n", 0), first.stderr
    offline = llamapack("pack", url, "--offline", "-o", tmp_path / "again.llamafile")
    assert offline.returncode == 0, offline.stderr
    assert (tmp_path / "far.llamafile").read_bytes() == (tmp_path / "again.llamafile").read_bytes()


def test_what_is_no_source(llamapack: CommandLine, refused: Refused) -> None:
    for word, message in (
        ("model.gguf", "not a source to download from"),
        ("hf:only-one-name", "does not name a model"),
        ("hf:a/b/../../x", "does not name a model"),
        ("https:///x.gguf", "is not an address"),
        ("https://host/", "does not end in the name"),
        ("https://host/m.gguf#sha256=12", "is not a SHA-256"),
    ):
        assert message in refused(llamapack("fetch", word))


def test_the_server_is_away(llamapack: CommandLine, refused: Refused, tmp_path: Path) -> None:
    quick = """
import runtime.hub.transfer as transfer
transfer.Patience.__init__.__defaults__ = (2, 0.01, 600, transfer.time.sleep)
"""
    done = subprocess.run(
        llamapack.command("fetch", "http://127.0.0.1:9/m.gguf?Signature=SIGNED", first=quick),
        cwd=tmp_path, env=llamapack.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "cannot reach 127.0.0.1: no connection" in refused(done)
    assert "SIGNED" not in done.stderr


def test_a_folder_where_it_keeps_what_it_has(
    tmp_path: Path, web: WebServer, llamapack: CommandLine, refused: Refused
) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    words = ["fetch", f"{web.url}/m.gguf", "-o", str(tmp_path / "here")]
    place = tmp_path / "here" / ".m.gguf.llamapack.incomplete"
    place.mkdir(parents=True)
    done = llamapack(*words)
    assert f"{place}: Is a directory" in refused(done)
    assert "TIP Remove that folder" in done.stderr
    place.rmdir()
    assert llamapack(*words).returncode == 0
