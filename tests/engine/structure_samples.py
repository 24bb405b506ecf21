"""Small engines that zig links for every target, and ways to break their files."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from packer.engines.targets import TARGETS
from packer.head import elf
from packer.head.macho_signature import commands, sign

Files = dict[str, bytes]
Break = Callable[[bytes], bytes]

ZIG_TARGETS = {
    "linux-x86_64": "x86_64-linux-gnu.2.17",
    "linux-aarch64": "aarch64-linux-gnu.2.17",
    "linux-x86_64-static": "x86_64-linux-musl",
    "linux-aarch64-static": "aarch64-linux-musl",
    "macos-x86_64": "x86_64-macos.13.0",
    "macos-aarch64": "aarch64-macos.13.0",
    "windows-x86_64": "x86_64-windows.win10-gnu",
    "windows-aarch64": "aarch64-windows.win10-gnu",
    "freebsd-x86_64": "x86_64-freebsd.14.0",
    "freebsd-aarch64": "aarch64-freebsd.14.0",
    "openbsd-x86_64": "x86_64-openbsd",
    "openbsd-aarch64": "aarch64-openbsd",
    "netbsd-x86_64": "x86_64-netbsd.10.1",
    "netbsd-aarch64": "aarch64-netbsd.10.1",
}
ZIG_TARGETS |= {name: target.zig for name, target in TARGETS.items()}

_EXPORT = """\
#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif
"""
_BASE = (
    _EXPORT + "API int ggml_one(int a) { return a + 1; }\nAPI int gguf_two(int a) { return a; }\n"
)
_THREADS = """\
#if !defined(_WIN32)
#include <pthread.h>
static void * run(void * p) { return p; }
void start(void) { pthread_t t; if (pthread_create(&t, 0, run, 0) == 0) pthread_join(t, 0); }
#else
void start(void) {}
#endif
int ggml_one(int);
int gguf_two(int);
"""
_MODULE = _EXPORT + _THREADS + "API int ggml_backend_init(int a) { start(); return ggml_one(a); }\n"
_PROGRAM = _THREADS + "int main(int c, char ** v) { start(); return ggml_one(c) + gguf_two(c); }\n"
_STATIC = "int main(int c, char ** v) { return c - 1; }\n"
_VERSION = '1 VERSIONINFO FILEVERSION 1,2,3,4 { BLOCK "StringFileInfo" { } }\n'


IMPORT_LIBRARY = "ggml-base.lib"


def names(target: str) -> tuple[str, str, str]:
    """The file names of ggml-base, a module and the program."""
    if target.startswith("windows"):
        return "ggml-base.dll", "ggml-cpu.dll", "llamapack-engine.exe"
    base = "libggml-base.dylib" if target.startswith("macos") else "libggml-base.so"
    return base, "libggml-cpu.so", "llamapack-engine"


def build(zig: Path, target: str, folder: Path) -> Files:
    """Link the engine of a target that keeps all rules."""
    base, module, program = names(target)
    folder.mkdir(parents=True, exist_ok=True)

    def link(source: str, out: str, *flags: str) -> None:
        (folder / f"{out}.c").write_text(source)
        words: list[str | Path] = [
            zig,
            "cc",
            "-target",
            ZIG_TARGETS[target],
            "-O1",
            "-s",
            "-fno-sanitize=all",
        ]
        words += [f"{out}.c", *flags, "-o", out]
        subprocess.run(words, cwd=folder, check=True)

    if target.endswith("-static"):
        link(_STATIC, program, "-static")
        return {program: (folder / program).read_bytes()}
    if target.startswith("windows"):
        link(_BASE, base, "-shared", f"-Wl,--out-implib,{IMPORT_LIBRARY}")
        (folder / "version.rc").write_text(_VERSION)
        link(_MODULE, module, "-shared", IMPORT_LIBRARY, "-Wl,--out-implib,module.lib")
        link(_PROGRAM, program, IMPORT_LIBRARY, "version.rc")
    else:
        mac = target.startswith("macos")
        name = f"-Wl,-install_name,@rpath/{base}" if mac else f"-Wl,-soname,{base}"
        paths = ["-Wl,-rpath,@loader_path"] if mac else ["-Wl,-rpath,$ORIGIN", "-Wl,-z,origin"]
        link(_BASE, base, "-shared", "-fPIC", name, *paths)
        link(_MODULE, module, "-shared", "-fPIC", "-pthread", base, *paths)
        link(_PROGRAM, program, "-pthread", base, *paths)
    made = [base, module, program]
    if target.startswith("windows"):
        made.append(IMPORT_LIBRARY)
    files = {name: (folder / name).read_bytes() for name in made}
    if target == "macos-x86_64":  # zig signs for arm64 only.
        return {name: sign(data, name) for name, data in files.items()}
    return files


def swap(old: bytes, new: bytes) -> Break:
    """Replace bytes, everywhere."""
    assert len(old) == len(new)

    def broken(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)

    return broken


def patch(offset: int, new: bytes) -> Break:
    """Replace the bytes at an offset."""
    return lambda data: data[:offset] + new + data[offset + len(new) :]


def elf_segment(kind: int, field: int, change: Callable[[int], int]) -> Break:
    """Change a u32 of the first program header of a type: 0 is its type, 4 its flags."""

    def broken(data: bytes) -> bytes:
        program = elf.parse(data, data)
        i = [segment.type for segment in program.segments].index(kind)
        at = program.phoff + i * elf.SEGMENT_SIZE + field
        return patch(at, struct.pack("<I", change(struct.unpack_from("<I", data, at)[0])))(data)

    return broken


def elf_dynamic(tag: int, change: Callable[[int, int], tuple[int, int]]) -> Break:
    """Change tag and value of the first entry of a tag in the dynamic section."""

    def broken(data: bytes) -> bytes:
        segment = next(s for s in elf.parse(data, data).segments if s.type == elf.PT_DYNAMIC)
        for at in range(segment.offset, segment.offset + segment.filesz, 16):
            have, value = struct.unpack_from("<QQ", data, at)
            if have == tag:
                return patch(at, struct.pack("<QQ", *change(have, value)))(data)
        raise AssertionError(f"no dynamic entry {tag}")

    return broken


def macho_command(kind: int, offset: int, new: bytes) -> Break:
    """Replace bytes in the first load command of a type."""

    def broken(data: bytes) -> bytes:
        at = next(at for have, at, _ in commands(data) if have == kind)
        return patch(at + offset, new)(data)

    return broken


def signed(change: Break) -> Break:
    """Sign after the change, so that only the change itself is wrong."""
    return lambda data: sign(change(data), "sample")


def pe_header(offset: int, change: Callable[[int], int]) -> Break:
    """Change a u16 at an offset from the PE signature."""

    def broken(data: bytes) -> bytes:
        at = struct.unpack_from("<I", data, 0x3C)[0] + offset
        return patch(at, struct.pack("<H", change(struct.unpack_from("<H", data, at)[0])))(data)

    return broken
