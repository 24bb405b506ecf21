"""The bundle as a Windows program, run under Wine: the same bytes as on Linux."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pexpect
import pytest
from helpers.repository import DEMO
from helpers.running import (
    CLI,
    QUESTION,
    answer,
    free_port,
    greedy,
    pack,
    pack_saying,
    refusal,
    run,
    until_healthy,
)
from wine import Wine


def text(output: bytes) -> bytes:
    """With the line ends of here; Windows' streams may write their own."""
    return output.replace(b"\r\n", b"\n")


def answers(
    wine: Wine, program: Path, expected: bytes, *words: str, cwd: Path | None = None
) -> bytes:
    """What it says on stderr."""
    done = wine.run(program, *(words or CLI), cwd=cwd)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert text(done.stdout).rstrip() == expected.rstrip()
    return done.stderr


def test_the_same_bytes_answer_as_on_linux(wine: Wine, demo_bundle: Path, expected: bytes) -> None:
    answers(wine, demo_bundle, expected)


def test_the_engine_is_unpacked_once_and_the_best_module_is_used(
    wine: Wine, demo_bundle: Path
) -> None:
    wine.run(demo_bundle, *CLI)
    made = (wine.local_app_data / "llamapack" / "engines").glob("windows-x86_64-*")
    unpacked = [path for path in made if path.is_dir()]
    assert len(unpacked) == 1
    before = {path.name: path.stat().st_mtime_ns for path in unpacked[0].iterdir()}
    done = wine.run(demo_bundle, *CLI)
    assert {path.name: path.stat().st_mtime_ns for path in unpacked[0].iterdir()} == before
    if "avx2" in Path("/proc/cpuinfo").read_text():
        assert b"AVX2 = 1" in done.stderr


def test_a_path_with_blanks_and_letters_of_all_kinds(
    wine: Wine, demo_bundle: Path, expected: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "Grüße an 世界 – no. 1"
    folder.mkdir()
    program = folder / "modèle 模型.exe"
    shutil.copy(demo_bundle, program)
    # The words come through as they are, in UTF-8, with blanks and quotes.
    prompt = 'Größe "世界" \\'
    done = wine.run(program, "--cli", "-p", prompt, "-n", "1", "--temp", "0")
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert text(done.stdout).decode().startswith(prompt)
    # Files that the user names, in the current directory and by a relative path.
    (folder / "Frage ü.txt").write_text(QUESTION, encoding="utf-8")
    answers(wine, program, expected, "-f", "Frage ü.txt", *CLI[3:], cwd=folder)


@pytest.mark.parametrize("words", [["-m", "nowhere.gguf"], ["--nonsense"], ["--version"]])
def test_exit_codes_are_those_of_linux(wine: Wine, demo_bundle: Path, words: list[str]) -> None:
    here = run(["sh", demo_bundle, *words])
    there = wine.run(demo_bundle, *words)
    assert there.returncode == here.returncode
    assert text(there.stdout) == here.stdout
    if here.returncode:
        assert text(there.stderr).splitlines()[0].startswith(b"ERROR ")


def test_serves_http(wine: Wine, demo_bundle: Path) -> None:
    port = free_port()
    with wine.started(demo_bundle, "--server", "--nobrowser", "--port", str(port)) as process:
        until_healthy(f"http://127.0.0.1:{port}", process)
        assert "one file" in greedy(f"http://127.0.0.1:{port}", max_tokens=40)
    wine.stop()


def test_ctrl_c_ends_the_server_as_on_linux(wine: Wine, demo_bundle: Path) -> None:
    port = free_port()
    words = ("--server", "--nobrowser", "--port", str(port))
    statuses = []
    for console in (
        pexpect.spawn("sh", [str(demo_bundle), *words], timeout=120),
        wine.console(demo_bundle, *words),
    ):
        console.expect_exact("listening on http")
        console.send("\x03")
        console.expect(pexpect.EOF)
        console.close()
        statuses.append((console.exitstatus, console.signalstatus))
    assert statuses == [(0, None), (0, None)]


def test_a_damaged_bundle_is_named(wine: Wine, demo_bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.exe"
    shutil.copy(demo_bundle, damaged)
    os.truncate(damaged, demo_bundle.stat().st_size - 1000)
    done = wine.run(damaged, *CLI)
    assert "damaged.exe" in refusal(done)[0]


# External weights


@pytest.fixture(scope="module")
def external(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The NAME.exe that goes with a bundle."""
    folder = tmp_path_factory.mktemp("external")
    bundle = folder / "model.llamafile"
    pack(DEMO, "--targets", ",".join(engines), "--windows", "external", output=bundle)
    assert bundle.read_bytes()[:8] == b"jartsr='"
    return folder / "model.exe"


def test_exe_takes_weights_from_the_gguf_beside_it(
    wine: Wine, external: Path, expected: bytes, tmp_path: Path
) -> None:
    shutil.copy(external, tmp_path / "model.exe")
    done = wine.run(tmp_path / "model.exe", *CLI)
    assert done.returncode == 1
    assert b"holds no weights" in done.stderr
    shutil.copy(DEMO, tmp_path / "model.gguf")
    answers(wine, tmp_path / "model.exe", expected)


def test_exe_finds_a_bundle_of_any_name(
    wine: Wine, engines: dict[str, Path], expected: bytes, tmp_path: Path
) -> None:
    words = ("--targets", ",".join(engines), "--windows", "external")
    pack(DEMO, *words, output=tmp_path / "model 1.5")
    answers(wine, tmp_path / "model 1.5.exe", expected)


def test_a_bundle_that_would_reach_four_gib_gets_an_exe(
    wine: Wine, engines: dict[str, Path], expected: bytes, tmp_path: Path
) -> None:
    """Weights of holes in front, so that the demo's begin beyond 4 GiB."""
    large = shutil.copyfile(DEMO, tmp_path / "large.gguf")
    os.truncate(large, (4 << 30) + 12345)
    bundle = tmp_path / "big one.llamafile"
    targets = ["--targets", ",".join(engines), "--args", "-m demo.gguf"]
    said = pack_saying(large, DEMO, *targets, output=bundle)
    program = tmp_path / "big one.exe"
    assert bundle.stat().st_size > 4 << 30
    assert program.stat().st_size < 100 << 20
    assert "big one.exe" in said
    assert "4 GiB" in said
    answers(wine, program, expected)
    assert answer(bundle) == expected


def test_m_takes_everything_out_of_another_bundle(
    wine: Wine, external: Path, demo_bundle: Path, tmp_path: Path
) -> None:
    other = pack(
        DEMO, "--targets", "linux-x86_64", "--args", "-n 4", output=tmp_path / "other.llamafile"
    )
    short = answer(demo_bundle, "-n", "4")
    answers(wine, external, short, "-m", str(other), *CLI[:3], "--temp", "0")
