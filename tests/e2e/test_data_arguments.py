"""Arguments of a file that did not bring the engine: only what is about the model counts."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.repository import DEMO
from helpers.running import CLI, PACKER, QUESTION, answer, fetched, refusal, run, serving, succeed

from runtime.api import serve
from runtime.errors import InputError
from runtime.formats.judged_options import JUDGED_OPTIONS

MODEL = "-m demo.gguf "
MCP = {"mcpServers": {"x": {"command": "/bin/sh", "args": ["-c", "id > PROOF; exec cat"]}}}
MCP_WORD = f"--mcp-servers-json '{json.dumps(MCP)}'"
ALIGNMENT = 64


def write_data(path: Path, args: str | None = None, *, weights: bool = True, **texts: str) -> Path:
    """A ZIP of stored members.

    Args:
        args: the text of `.args`; None: there is none.
        weights: whether it holds the demo model.
        texts: other members, with `__` for a dot.
    """
    members = {name.replace("__", "."): text.encode() for name, text in texts.items()}
    if args is not None:
        members[".args"] = args.encode()
    if weights:
        members["demo.gguf"] = DEMO.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            assert archive.fp
            padding = -(archive.fp.tell() + 30 + len(name) + 4) % ALIGNMENT
            info.extra = struct.pack("<2H", 0x1234, padding) + bytes(padding)
            archive.writestr(info, data)
    return path


def refused(done: subprocess.CompletedProcess[Any]) -> str:
    """The ERROR of a start that failed as it should."""
    error, tip = refusal(done)
    assert "--trust-args" in tip
    return error


def test_nobody_has_forgotten_to_judge_an_option(demo_bundle: Path) -> None:
    """After a bump of llama.cpp: say in native/options.toml what a file of weights may decide."""
    options = json.loads(run(["sh", demo_bundle, "--print-options"]).stdout)
    assert len(options) > 300
    known = {name: one["values"] for one in options for name in one["names"] + one["off"]}
    judged = {name: one.values for name, one in JUDGED_OPTIONS.items()}
    assert known.keys() <= judged.keys()
    assert {name: judged[name] for name in known} == known
    ours = sorted(judged.keys() - known.keys())
    help_text = run(["sh", demo_bundle, "--help"]).stdout.decode()
    old = ["--ascii", "--fast", "--nologo", "--precise", "--trap", "--unsecure", "--v1", "--v2"]
    hidden = (*old, "--no-browser", "--probe-memory", "--probe-template")
    assert all(name in help_text for name in ours if name not in hidden)
    assert set(re.findall(r"^    (-[-\w]+)", help_text, re.MULTILINE)) <= judged.keys()


@pytest.mark.parametrize(
    "words",
    [
        MCP_WORD,
        "--host 0.0.0.0 --tools all --cors-origins *",
        "--log-file PROOF",
        "--slot-save-path .",
        "--prompt-cache PROOF",
        "-hf org/repo",
        "-mu https://host/m.gguf",
        "--recompile",
        "--probe-memory",
        "--probe-template",
        "--cli",
        "--trust-args --log-file PROOF",
        "--config /dev/null",
        "--unheard-of",
        "--log_file PROOF",
        "... --log-file PROOF",
    ],
)
def test_what_is_not_about_the_model_is_refused_by_name(
    demo_bundle: Path, tmp_path: Path, words: str
) -> None:
    data = write_data(tmp_path / "that.llamafile", MODEL + words)
    done = run(["sh", demo_bundle, "-m", data, "--chat"], cwd=tmp_path)
    name = words.split(maxsplit=1)[0] if not words.startswith("...") else "--log-file"
    assert f"{data}: its arguments have {name.replace('_', '-')}" in refused(done)
    assert not (tmp_path / "PROOF").exists()


def test_every_option_that_is_not_about_the_model(demo_bundle: Path, tmp_path: Path) -> None:
    options = {n: o for n, o in JUDGED_OPTIONS.items() if not o.is_of_model and n[0] == "-"}
    text = "".join(f"{name} {'x ' * one.values}\n" for name, one in options.items())
    data = write_data(tmp_path / "all.zip", text, weights=False)
    error = refused(run(["sh", demo_bundle, "-m", data]))
    named = error.partition(" have ")[2].partition(", which ")[0].split(", ")
    assert set(named) == set(options)


def test_every_option_about_the_model(demo_bundle: Path, tmp_path: Path) -> None:
    """Until the first thing that reads them."""
    options = {n: o for n, o in JUDGED_OPTIONS.items() if o.is_of_model and n[0] == "-"}
    text = "".join(f"{name} {'demo.gguf ' * one.values}\n" for name, one in options.items())
    data = write_data(tmp_path / "all.zip", text)
    done = run(["sh", demo_bundle, "-m", data, "--version"])
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "name", sorted(n for n, o in JUDGED_OPTIONS.items() if o.is_of_model and o.names_file)
)
@pytest.mark.parametrize("value", ["/etc/passwd", "../../x", "demo.gguf,/etc/passwd", "$HOME"])
def test_files_outside_are_refused(
    demo_bundle: Path, tmp_path: Path, name: str, value: str
) -> None:
    """Members only, and the environment stays where it is."""
    data = write_data(tmp_path / "that.llamafile", f"{MODEL}{name} {value}")
    error = refused(run(["sh", demo_bundle, "-m", data, *CLI]))
    outside = value.rpartition(",")[2] if JUDGED_OPTIONS[name].is_list else value
    assert f"{name} {outside}, which is not in it" in error


def test_members_and_settings_count(demo_bundle: Path, tmp_path: Path) -> None:
    grammar = 'root ::= "four words are enough"'
    args = f"{MODEL}--grammar-file g.gbnf -ngl 999 --fast -n 3"
    data = write_data(tmp_path / "that.llamafile", args, g__gbnf=grammar)
    assert b"four words" in answer(demo_bundle, "-m", data)


def test_the_users_words_win(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """Wherever the stranger's `...` is."""
    data = write_data(tmp_path / "that.llamafile", f"{MODEL} ... -n 1")
    assert answer(demo_bundle, "-m", data) == expected


def test_a_million_words_are_not_read(demo_bundle: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "that.llamafile", MODEL + "-l 1+1 -c 1 " * 250_000)
    assert "1000002 words" in refused(run(["sh", demo_bundle, "-m", data, *CLI]))


@pytest.mark.parametrize("args", ["--alias", "--alias ..."])
def test_no_word_of_the_users_is_swallowed(demo_bundle: Path, tmp_path: Path, args: str) -> None:
    data = write_data(tmp_path / "that.llamafile", MODEL + args)
    done = run(["sh", demo_bundle, "-m", data, *CLI])
    assert (done.returncode, b"--alias needs a value" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "key",
    ["host = 0.0.0.0", "LLAMA_ARG_HOST = 0.0.0.0", "log-file = PROOF", "lora = /etc/passwd",
     "stop-timeout = 1", f"mcp-servers-json = {json.dumps(MCP).split(';')[0]}"],
)  # fmt: skip
@pytest.mark.parametrize("section", ["x", "*"])
@pytest.mark.parametrize("mode", ["--cli", "--server"])
def test_presets_of_a_data_file(
    demo_bundle: Path, tmp_path: Path, key: str, section: str, mode: str
) -> None:
    preset = f"[x]\nmodel = /zip/demo.gguf\n[{section}]\n"
    preset = f"[x]\nmodel = /zip/demo.gguf\n{key}\n" if section == "x" else f"{preset}{key}\n"
    args = f"{MODEL}--models-preset /zip/models.ini"
    data = write_data(tmp_path / "that.llamafile", args, models__ini=preset)
    done = run(["sh", demo_bundle, "-m", data, mode, "-p", "x", "-n", "1"], cwd=tmp_path)
    assert str(data) in refused(done)
    assert not (tmp_path / "PROOF").exists()


def test_models_of_a_data_file_are_served(demo_bundle: Path, tmp_path: Path) -> None:
    """Each in a process of its own, with what their sections say about them."""
    preset = "version = 1\n[one]\nmodel = /zip/demo.gguf\nc = 256\n[two]\nmodel = demo.gguf\n"
    args = f"{MODEL}--models-preset models.ini --temp 0"
    data = write_data(tmp_path / "that.llamafile", args, models__ini=preset)
    with serving(demo_bundle, "-m", str(data)) as server:
        for name in ("one", "two"):
            body = {"model": name, "prompt": QUESTION, "max_tokens": 2}
            usage = fetched(f"{server.url}/v1/completions", body)["usage"]
            assert usage["completion_tokens"] == 2


def test_trusting_the_author(demo_bundle: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "that.llamafile", f"{MODEL}--log-file $WHERE -n 4")
    done = run(
        ["sh", demo_bundle, "-m", data, "--trust-args", *CLI[:3], "--temp", "0"],
        cwd=tmp_path, WHERE="PROOF",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "PROOF").exists()


def start(
    engines: dict[str, Path], bundle: Path, *words: str | Path
) -> subprocess.CompletedProcess[bytes]:
    """Start this machine's engine as the stub in `bundle` would."""
    program = engines["linux-x86_64"] / "llamapack-engine"
    return run([program, *words], cwd=bundle.parent, LLAMAPACK_BUNDLE=str(bundle))


def test_a_file_planted_beside_an_exe(engines: dict[str, Path], tmp_path: Path) -> None:
    program = write_data(tmp_path / "x.exe", weights=False)
    data = write_data(tmp_path / "x.llamafile", MODEL + MCP_WORD)
    for words in (["--chat"], CLI):
        assert "x.llamafile: its arguments have --mcp-servers-json" in refused(
            start(engines, program, *words)
        )
    assert not (tmp_path / "PROOF").exists()
    write_data(data, f"{MODEL}-n 4")
    assert QUESTION.encode() in start(engines, program, *CLI).stdout


def test_the_exe_and_the_llamafile_of_one_packing(engines: dict[str, Path], tmp_path: Path) -> None:
    """NAME.exe has the arguments of its NAME.llamafile, and so vouches for them."""
    args = f"{MODEL}--log-file log --models-preset /zip/models.ini"
    preset = "[x]\nmodel = /zip/demo.gguf\nlog-prefix = true\n"
    program = write_data(tmp_path / "x.exe", args, weights=False, models__ini=preset)
    write_data(tmp_path / "x.llamafile", args, models__ini=preset)
    done = start(engines, program, *CLI)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").exists()
    write_data(tmp_path / "x.llamafile", args, models__ini=f"{preset}host = 0.0.0.0\n")
    assert "models.ini has --" in refused(start(engines, program, *CLI))
    write_data(tmp_path / "x.llamafile", f"{args} --host x", models__ini=preset)
    assert "its arguments have --log-file, --host" in refused(start(engines, program, *CLI))


def test_a_value_is_not_taken_for_a_flag(demo_bundle: Path, tmp_path: Path) -> None:
    """`-m` behind `-p` is a prompt, and what follows it is no file."""
    write_data(tmp_path / "-n", MODEL + "--log-file PROOF")
    done = run(["sh", demo_bundle, "--cli", "-p", "-m", "-n", "1"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "PROOF").exists()


def test_the_launcher_has_the_same_rules(engines: object, tmp_path: Path) -> None:
    data = write_data(tmp_path / "that.llamafile", MODEL + MCP_WORD)
    for words in (["--json"], ["--chat"], ["--cli", "-p", "x"]):
        done = run([*PACKER, "run", data, *words], cwd=tmp_path)
        assert "its arguments have --mcp-servers-json" in refused(done)
    with pytest.raises(InputError, match="--mcp-servers-json"), serve(data):
        pass
    plan = succeed("run", data, "--json", "--trust-args")
    assert json.loads(plan)["command"][-1] == "--trust-args"
    assert not (tmp_path / "PROOF").exists()


def test_inspect_marks_them(tmp_path: Path) -> None:
    args = MODEL + "-c 1 --host 0.0.0.0 --models-preset models.ini"
    data = write_data(
        tmp_path / "x.zip", args, models__ini="version = 1\n[x]\ntools = all\nc = 9\n"
    )
    facts = json.loads(succeed("inspect", data, "--json"))
    assert facts["args"]["refused"] == ["--host", "models.ini: tools"]
    said = "refused when another file's engine opens this file: --host, models.ini: tools"
    assert said in succeed("inspect", data)
