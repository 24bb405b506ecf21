"""A start reads the bundle, its cache, what it is told to read, and nobody's configuration."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from helpers.running import CLI, QUESTION, answer, free_port, run, until_healthy

HOSTILE = "[*]\nn-predict = 1\ntools = all\nhost = 0.0.0.0\n"
SYSTEM = re.compile(
    r"/(proc|sys|dev)/|/etc/ld\.so\.(cache|preload)$|/etc/(localtime|nsswitch\.conf|hosts)$"
    r"|/etc/(resolv|host|gai)\.conf$|/(usr/)?lib[^/]*/|/usr/share/(locale|zoneinfo)/"
)
"""What the loader and the C library open by themselves."""
OPENED = re.compile(r'^(?:\d+ +)?open\w*\((?:\w+, )?"([^"]*)"', re.MULTILINE)


@pytest.fixture(params=["XDG_CONFIG_HOME", "HOME"])
def configured(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment in which upstream's programs would find settings."""
    variable = str(request.param)
    place = tmp_path / ("" if variable == "XDG_CONFIG_HOME" else ".config") / "llama.cpp"
    place.mkdir(parents=True)
    (place / "config.ini").write_text(HOSTILE)
    unset = {"XDG_CONFIG_HOME": ""} if variable == "HOME" else {}
    return {**unset, variable: str(tmp_path)}


@pytest.mark.parametrize("command", [[], ["completion", "-m", "/zip/demo.gguf", "-no-cnv"]])
def test_no_config_file_has_a_say(
    demo_bundle: Path, configured: dict[str, str], command: list[str]
) -> None:
    words = [*command, *(CLI[1:] if command else CLI)]
    plain = run(["sh", demo_bundle, *words])
    assert plain.returncode == 0
    assert run(["sh", demo_bundle, *words], **configured).stdout == plain.stdout


def traced(tmp_path: Path, *command: str | Path, environment: dict[str, str]) -> str:
    """What a command does with files; a server is stopped once it answers."""
    log = tmp_path / "trace"
    port = free_port()
    words = [str(word) for word in command]
    serves = "--server" in words
    strace = ["strace", "-f", "-e", "trace=%file", "-o", str(log)]
    more = ["--port", str(port), "--nobrowser"] if serves else []
    with subprocess.Popen(
        [*strace, *words, *more],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        if serves:
            until_healthy(f"http://127.0.0.1:{port}", process)
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    return log.read_text()


@pytest.mark.parametrize("mode", [CLI, ["--server"], ["--chat", "-p", "x"]])
def test_a_start_opens_nothing_of_anybody_elses(
    demo_bundle: Path,
    engine_cache: Path,
    tmp_path: Path,
    configured: dict[str, str],
    mode: list[str],
) -> None:
    trace = traced(tmp_path, "sh", demo_bundle, *mode, environment=configured)
    opened = set(OPENED.findall(trace))
    assert str(demo_bundle) in opened
    allowed = (str(demo_bundle), str(engine_cache))
    assert not [path for path in opened if not path.startswith(allowed) and not SYSTEM.match(path)]
    assert "config.ini" not in trace


def test_a_named_config_file(demo_bundle: Path, tmp_path: Path) -> None:
    """In place of defaults: after the bundle's own, before the user's words."""
    config = tmp_path / "mine.ini"
    config.write_text(
        "c = 512 ; a comment\n[*]\nn-predict = 4\nescape = false\n[other]\nseed = 1\n"
    )
    words = [*CLI[:3], "--temp", "0"]
    short = run(["sh", demo_bundle, *words, "-n", "4"]).stdout
    assert run(["sh", demo_bundle, *words, "--config", config]).stdout == short
    assert answer(demo_bundle, "--config", config) == answer(demo_bundle)  # which has -n 16
    assert QUESTION.encode() in short


@pytest.mark.parametrize(
    ("text", "cause"),
    [(None, "no such file"), ("[*]\nno-such = 1\n", "no-such"), ("{}", "mine.ini")],
)
def test_a_config_file_that_cannot_be_used(
    demo_bundle: Path, tmp_path: Path, text: str | None, cause: str
) -> None:
    config = tmp_path / "mine.ini"
    if text is not None:
        config.write_text(text)
    done = run(["sh", demo_bundle, *CLI, "--config", config])
    error, tip = done.stderr.decode().splitlines()
    assert (done.returncode, error.startswith(f"ERROR {config}")) == (1, True)
    assert cause in error
    assert tip.startswith("TIP ")
