from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from packer.cli import main
from packer.engines import targets
from packer.io import build_cache


@pytest.mark.usefixtures("small_tools")
def test_build_list_path_clean(
    small_native: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    assert main(["engine", "path", "linux-x86_64"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[1] == "TIP Run `llamapack engine build linux-x86_64`."

    assert main(["engine", "build"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in printed] == ["linux-x86_64", "linux-x86_64-static"]

    assert main(["engine", "path", "linux-x86_64"]) == 0
    path = capsys.readouterr().out.strip()
    assert printed[0] == f"linux-x86_64 {path}"

    (small_native / "engine" / "main.cpp").write_text("int main() { return 1; }\n")
    assert main(["engine", "build", "linux-x86_64-static"]) == 0
    capsys.readouterr()
    assert main(["engine", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["target"] for row in rows} == set(targets.TARGETS)
    rows = [row for row in rows if row["target"].startswith("linux-")]
    assert sorted((row["target"], row["state"]) for row in rows) == [
        ("linux-aarch64", "missing"),
        ("linux-aarch64-static", "missing"),
        ("linux-x86_64", "stale"),
        ("linux-x86_64-static", "built"),
        ("linux-x86_64-static", "stale"),
    ]
    assert main(["engine", "list"]) == 0
    assert "linux-aarch64         missing\n" in capsys.readouterr().out

    assert main(["engine", "clean"]) == 0
    assert main(["engine", "list", "--json"]) == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)].count("stale") == 0


def test_a_machine_without_a_target_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Haiku")
    assert main(["engine", "build"]) == 1
    assert "no engine for this machine (Haiku" in capsys.readouterr().err


def test_a_wrong_number_of_jobs_is_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["engine", "build", "-j", "0"])


def test_every_target_is_named_after_its_system() -> None:
    for row in targets.TARGETS.values():
        assert row.name == f"{row.os}-{row.arch}" + ("-static" if row.static else "")


def test_the_cache_follows_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "here"))
    assert build_cache.root() == tmp_path / "here"
    monkeypatch.delenv("LLAMAPACK_BUILD_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build_cache.root() == tmp_path / ".cache" / "llamapack-build"
