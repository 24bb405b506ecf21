"""What a runtime's main() gets, from `.args` in the ZIP behind its program."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from packer.engines import native, toolchain

RUNTIME = r"""
#include <stdio.h>
int main(int argc, char ** argv) {
    for (int i = 1; i < argc; i++) printf("%s\n", argv[i]);
    return argv[argc] ? 9 : 0;
}
"""
OWN_READER = RUNTIME.replace(
    "int main(int argc, char ** argv) {",
    "int LoadZipArgs(int * argc, char *** argv) { return !*argc || !**argv; }\n"
    "int main(int argc, char ** argv) { if (LoadZipArgs(&argc, &argv)) return 8;",
)

COSMOPOLITAN = f"""
#if !defined(YOINKED)
#error "/zip/ would be missing"
#endif
char * GetProgramExecutableName(void) {{ return "/proc/self/exe"; }}
{RUNTIME}"""
"""With what the C library has in addition."""


def compiled(folder: Path, text: str, *more: str) -> Path:
    pytest.importorskip("ziglang")
    ours, program = native.directory(), folder / "runtime"
    (folder / "runtime.c").write_text(text)
    files = [folder / "runtime.c", *(ours / "cosmo").glob("*.c"), *(ours / "bundle").glob("*.c")]
    checks = ["-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-trap=undefined"]
    words = ["-target", "x86_64-linux-musl", "-std=c11", "-D_GNU_SOURCE", f"-I{ours / 'bundle'}"]
    command = [toolchain._zig(), "cc", *words, *checks, "-Wl,--wrap=main", *more, *files, "-o"]
    subprocess.run([*command, program], check=True)
    return program


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("runtime"), RUNTIME)


def with_members(program: Path, path: Path, members: dict[str, str]) -> Path:
    path.write_bytes(program.read_bytes())
    path.chmod(0o755)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def words(program: Path, *given: str) -> list[str]:
    done = subprocess.run([program, *given], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-c\n8\n...\n", ["-c", "8", "u", "v"]),
        ("...\n-c\n8\n", ["u", "v", "-c", "8"]),
        ("a\n...\nb\n...\nc\n", ["a", "u", "v", "b", "c"]),
        ("-c\n8", ["-c", "8", "u", "v"]),
        ("two words\n'quoted' $HOME\n", ["two words", "'quoted' $HOME", "u", "v"]),
        ("-m\nsub/m.gguf\n", ["-m", "/zip/sub/m.gguf", "u", "v"]),
        ("-m\nm.gguf\n", ["-m", "m.gguf", "u", "v"]),
        ("\n\n", ["u", "v"]),
        ("", ["u", "v"]),
    ],
)
def test_its_words_go_before_the_users(
    text: str, expected: list[str], runtime: Path, tmp_path: Path
) -> None:
    packed = with_members(runtime, tmp_path / "packed", {".args": text, "sub/m.gguf": "GGUF"})
    assert words(packed, "u", "v") == expected


def test_a_word_of_the_users_is_left_alone(runtime: Path, tmp_path: Path) -> None:
    packed = with_members(runtime, tmp_path / "packed", {".args": "-x\n", "m.gguf": "GGUF"})
    assert words(packed, "m.gguf") == ["-x", "m.gguf"]


def test_without_args_and_without_an_archive(runtime: Path, tmp_path: Path) -> None:
    assert words(runtime, "u") == ["u"]
    assert words(with_members(runtime, tmp_path / "packed", {"m.gguf": "GGUF"}), "u") == ["u"]


def test_args_that_are_damaged(runtime: Path, tmp_path: Path) -> None:
    packed = with_members(runtime, tmp_path / "packed", {".args": "-c\n8192\n" * 9})
    data = bytearray(packed.read_bytes())
    data[data.rindex(b"PK\3\4") + 30 + len(".args") + 2] ^= 0xFF
    packed.write_bytes(data)
    done = subprocess.run([packed, "u"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "its default arguments cannot be read: " in done.stderr.splitlines()[0]
    assert done.stderr.splitlines()[1].startswith("TIP ")


def test_a_runtime_that_reads_them_itself_is_left_to_it(tmp_path: Path) -> None:
    program = compiled(tmp_path, OWN_READER)
    packed = with_members(program, tmp_path / "packed", {".args": "-c\n8\n"})
    assert words(packed, "u") == ["u"]


def test_the_branch_for_cosmopolitan(tmp_path: Path) -> None:
    """Its C library is not here: names that it has are declared in its place."""
    header = tmp_path / "normalize.inc"
    header.write_text("#define __static_yoink(symbol) extern int yoinked\n#define YOINKED\n")
    more = ["-D__COSMOPOLITAN__", "-include", str(header)]
    program = compiled(tmp_path, COSMOPOLITAN, *more)
    packed = with_members(program, tmp_path / "packed", {".args": "-c\n8\n"})
    assert words(packed, "u") == ["-c", "8", "u"]
