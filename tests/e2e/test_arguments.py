"""Flags and settings: ours, upstream's, those that old scripts still pass; and nobody else's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from helpers.odd_archives import two_directories
from helpers.repository import DEMO
from helpers.running import (
    CLI,
    QUESTION,
    answer,
    free_port,
    llamapack,
    pack,
    refusal,
    run,
    succeed,
    until_healthy,
)

from packer.engines import native, pins


@pytest.mark.parametrize(
    "words",
    [
        ["--special", *CLI[1:]],  # as the second generation of cards starts files
        ["-f", "prompt.txt", *CLI[3:]],
        [*CLI, "--nobrowser", "--fast", "--unsecure", "--v2", "--nocompile", "--gpu", "auto"],
        [*CLI, "--gpu", "disable"],
        [*CLI, "-ngl", "999", "--host", "0.0.0.0", "--port", "1"],
    ],
)
def test_flags_that_change_nothing_here(
    demo_bundle: Path, expected: bytes, words: list[str], tmp_path: Path
) -> None:
    (tmp_path / "prompt.txt").write_text(QUESTION)
    done = run(["sh", demo_bundle, *words], cwd=tmp_path)
    assert (done.stdout, done.returncode) == (expected, 0)


def test_log_disable_leaves_the_answer(demo_bundle: Path, expected: bytes) -> None:
    loud, quiet = run(["sh", demo_bundle, *CLI]), run(["sh", demo_bundle, *CLI, "--log-disable"])
    assert quiet.stdout == expected
    assert len(loud.stderr) > 500
    assert quiet.stderr.strip() == b""


def test_args_of_the_bundle_and_the_users(engines: object, tmp_path: Path) -> None:
    bundle = pack(DEMO, "--args", "--cli -n 4 --temp 0", output=tmp_path / "cli.llamafile")
    four = run(["sh", bundle, "-p", QUESTION]).stdout
    more = run(["sh", bundle, "-p", QUESTION, "-n", "16"]).stdout
    assert QUESTION.encode() in four
    assert len(more) > len(four)
    done = run(["sh", bundle, "-p", QUESTION, "-n", "4"])
    assert b"DEPRECATED" not in done.stderr
    args = "--cli -n 4 ... --temp 0 # the user cannot change the temperature"
    succeed("edit", bundle, "--args", args)
    hot = [run(["sh", bundle, "-p", QUESTION, "--temp", "9"]).stdout for _ in range(2)]
    assert hot[0] == hot[1]


def test_defaults_that_the_engine_does_not_know_are_refused(
    engines: object, tmp_path: Path
) -> None:
    """Before anything is written, and by the engine's own table."""
    bundle = tmp_path / "m.llamafile"
    wrong = ["-c 512 --no-such-flag", "--temp 0 hello", "--no-such-flag ..."]
    for words in wrong:
        done = llamapack("pack", DEMO, "-o", bundle, "--args", words)
        assert (done.returncode, bundle.exists()) == (1, False)
        assert "which the engine does not know" in done.stderr
    model = ["--model", f"one={DEMO}", "--model-args", "one=--no-such-flag 1"]
    assert "'--no-such-flag'" in llamapack("pack", *model, "-o", bundle).stderr
    for words in ("--ctx_size 512 --fast ${MORE}", "--cli -n 4 -p ...", "--cli -p"):
        pack(DEMO, "--force", "--args", words, output=bundle)
    before = bundle.read_bytes()
    for words in wrong:
        done = llamapack("edit", bundle, "--args", words)
        assert "which the engine does not know" in done.stderr
    assert bundle.read_bytes() == before
    succeed("edit", bundle, "--args", "-c 512")


def test_help_reads_like_a_manual(demo_bundle: Path) -> None:
    done = run(["sh", demo_bundle, "--help"])
    text = done.stdout.decode()
    assert done.returncode == 0
    assert text.startswith("NAME\n    ./demo.llamafile")
    ours, upstreams = text.index("--nobrowser"), text.index("--ctx-size")
    assert ours < upstreams


def test_version_names_both(demo_bundle: Path) -> None:
    lines = run(["sh", demo_bundle, "--version"]).stdout.decode().splitlines()
    assert lines[0].startswith("llamapack ")
    release = pins.load(native.directory()).release
    assert lines[1] == f"llama.cpp {release.removeprefix('v')}"


@pytest.mark.parametrize(
    ("words", "cause", "way_out"),
    [
        (["--no-such-flag"], "--no-such-flag", "--help"),
        (["-c"], "-c", "--help"),
        (["-m", "nowhere.gguf"], "nowhere.gguf: no such file", "-m"),
        (["-m", "/zip/nowhere.gguf"], "/zip/nowhere.gguf", "llamapack inspect"),
        (["-m", __file__], "is not a GGUF", "-m"),
        (["-hf", "org/repo", "--offline"], "not in the cache", "--offline"),
        (["--gpu", "nvidia"], "no GPU module", "--gpu disable"),
    ],
)
def test_mistakes(demo_bundle: Path, words: list[str], cause: str, way_out: str) -> None:
    error, tip = refusal(run(["sh", demo_bundle, *CLI, *words]))
    assert cause in error
    assert way_out in tip


@pytest.mark.parametrize("disk", [0, 1])
def test_a_file_that_can_be_read_in_two_ways(demo_bundle: Path, tmp_path: Path, disk: int) -> None:
    path = tmp_path / "x.llamafile"
    path.write_bytes(two_directories(disk=disk, inside=True))
    error, _ = refusal(run(["sh", demo_bundle, *CLI, "-m", path]))
    assert error.startswith(f"{path}: is not a GGUF, nor a bundle: its ZIP ")


# A start reads the bundle, its cache, what it is told to read, and nobody's configuration.

HOSTILE = "[*]\nn-predict = 1\ntools = all\nhost = 0.0.0.0\n"
SYSTEM = re.compile(
    r"/(proc|sys|dev)/|/etc/ld\.so\.(cache|preload)$|/etc/(localtime|nsswitch\.conf|hosts)$"
    r"|/etc/(resolv|host|gai)\.conf$|/(usr/)?lib[^/]*/|/usr/share/(locale|zoneinfo)/"
)
"""What the loader and the C library open by themselves."""
OPENED = re.compile(
    r'^(?:\d+ +)?open\w*\((?:\w+, )?"([^"]*)"(?!, O_\S*PATH)',
    re.MULTILINE,
)
"""With O_PATH nothing is read: the sandbox names what may be."""


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
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        [*strace, *words, *more],
        env=os.environ | environment, stdin=quiet, stdout=quiet, stderr=quiet,
        start_new_session=True,
    ) as process:  # fmt: skip
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


def test_a_named_config_file(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """In place of defaults: after the bundle's own, before the user's words."""
    config = tmp_path / "mine.ini"
    config.write_text(
        "c = 512 ; a comment\n[*]\nn-predict = 4\nescape = false\n[other]\nseed = 1\n"
    )
    words = [*CLI[:3], "--temp", "0"]
    short = run(["sh", demo_bundle, *words, "-n", "4"]).stdout
    assert run(["sh", demo_bundle, *words, "--config", config]).stdout == short
    assert answer(demo_bundle, "--config", config) == expected  # which has -n 16
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
    error, _ = refusal(run(["sh", demo_bundle, *CLI, "--config", config]))
    assert error.startswith(str(config))
    assert cause in error


@pytest.mark.parametrize("mode", ["--cli", "--server", "--chat", "-v"])
def test_a_model_that_cannot_be_loaded(demo_bundle: Path, tmp_path: Path, mode: str) -> None:
    weights = DEMO.read_bytes()
    key = weights.index(b"general.architecture") + len(b"general.architecture") + 4 + 8
    other = tmp_path / "other.gguf"
    other.write_bytes(weights[:key] + b"zzzzz" + weights[key + len(b"llama") :])
    words = [mode, "-p", "x"] if mode in ("--cli", "-v") else [mode, "--port", str(free_port())]
    done = run(["sh", demo_bundle, "-m", other, *words])
    *log, error, tip = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert error.startswith(f"ERROR {other}: ")
    assert tip == "TIP the lines above say why; -v shows the whole log"
    assert any("unknown model architecture: 'zzzzz'" in line for line in log)


def test_nothing_to_complete(demo_bundle: Path) -> None:
    for typed in (None, b""):
        done = run(["sh", demo_bundle, "--cli"], typed=typed)
        assert done.returncode == 1
        *_, error, tip = done.stderr.decode().splitlines()
        assert error == "ERROR there is no text to complete"
        assert "TIP -p TEXT" in tip
    assert run(["sh", demo_bundle, "--cli", "-n", "1"], typed=b"Q").returncode == 0


VALUES = {
    "--ctx-size": "-1 1 x 99999999999",
    "--batch-size": "0 2 x",
    "--parallel": "0 x",
    "--threads": "x",
    "--temp": "x",
    "--host": ",",
    "--cache-type-k": "x",
    "--override-kv": "x",
    "--json-schema": "{",
    "--grammar": "{{",
    "--chat-template": "{{",
    "--api-key-file": "no-keys nowhere . utf16",
    "--chat-template-file": "nowhere .",
    "--grammar-file": "nowhere .",
    "--system-prompt-file": "nowhere .",
    "--lora": "nowhere",
    "--log-file": "nowhere/log",
    "--path": "nowhere",
    "--slot-save-path": "nowhere",
    "--config": "nowhere .",
}


OF_SERVERS = (
    "--parallel", "--host", "--api-key-file", "--path", "--slot-save-path", "--chat-template",
    "--batch-size",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name in VALUES
        for mode in ("--server", "--chat", "--cli")
        if not (mode == "--cli" and name in OF_SERVERS)
        and not (mode == "--server" and name == "--system-prompt-file")
    ],
)
def test_values_that_cannot_be_used(
    demo_bundle: Path, tmp_path: Path, name: str, mode: str
) -> None:
    """Each ends with one ERROR that names it, and one TIP; none starts what was not asked for."""
    (tmp_path / "no-keys").write_text("# none yet\n")
    (tmp_path / "utf16").write_bytes("key\n".encode("utf-16-le"))
    for value in VALUES[name].split():
        words = [mode, "-p", "x"] if mode == "--cli" else [mode, "--nobrowser", "--port", "0"]
        done = run(["sh", demo_bundle, *words, name, value], cwd=tmp_path)
        *_, error, tip = done.stderr.decode().splitlines()
        assert (done.returncode, error[:6], tip[:4]) == (1, "ERROR ", "TIP "), (value, done.stderr)


def test_text_files_of_powershell(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        (tmp_path / "q").write_text(CLI[CLI.index("-p") + 1], encoding)
        words = [word for word in CLI if word not in ("-p", CLI[CLI.index("-p") + 1])]
        done = run(["sh", demo_bundle, *words, "-f", tmp_path / "q", "--log-disable"])
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == expected.strip()
