"""What each target's files must look like: the facts that the rules compare with."""

from __future__ import annotations

import dataclasses
import enum
import re
from dataclasses import dataclass

from runtime.errors import InputError


class Kind(enum.Enum):
    """What a file is for."""

    PROGRAM = "program"
    LIBRARY = "library"
    """Named by others when they are linked: `libggml-base`, `libggml`."""
    MODULE = "module"
    """Opened by name while the program runs."""


@dataclass(frozen=True)
class System:
    """One target's facts."""

    name: str
    format: str
    """`elf`, `macho` or `pe`."""
    os: str
    arch: str
    static: bool
    """No file needs any other, not even the system's."""
    libraries: re.Pattern[str]
    """The system's libraries that may be imported."""
    any_library: bool = False
    """Imports are not this check's business: the file was built by others."""
    interpreters: tuple[str, ...] = ()

    @property
    def executable(self) -> str:
        """The engine's file name."""
        return "llamapack-engine.exe" if self.os == "windows" else "llamapack-engine"

    @property
    def base(self) -> str:
        """The file name of ggml-base, which every module asks for."""
        names = {"windows": "ggml-base.dll", "macos": "libggml-base.dylib"}
        return names.get(self.os, "libggml-base.so")

    @property
    def import_library(self) -> str:
        """The file that modules are linked with where that is not ggml-base itself, or \"\"."""
        return "ggml-base.lib" if self.os == "windows" and not self.static else ""

    @property
    def by_library(self) -> bool:
        """Whether an import says from which library it comes."""
        return self.format != "elf"

    def for_stub(self) -> System:
        """The same for start stubs, which on Linux are static."""
        return dataclasses.replace(self, static=self.static or self.os == "linux")

    def for_foreign_module(self) -> System:
        """The same for modules that others have built."""
        return dataclasses.replace(self, any_library=True, static=False)


_FORMATS = {"macos": "macho", "windows": "pe"}

_LIBRARIES = {
    # Those of glibc. Everything else, C++ included, is inside our files.
    "linux": r"lib(c|m|mvec|dl|rt|pthread)\.so\.\d+|ld-linux-(x86-64|aarch64)\.so\.\d",
    # /lib and /usr/lib of a base system. `libgcc_s`, `libc++` and `libexecinfo` are in all three.
    "freebsd": r"lib(c|m|thr|util|rt|dl|gcc_s|execinfo|kvm|md)\.so\.\d+",
    "netbsd": r"lib(c|m|pthread|util|rt|gcc_s|execinfo|kvm)\.so\.\d+",
    # zig writes no version. OpenBSD's loader then takes any: `_dl_build_sod` (libexec/ld.so/sod.c)
    # reads a missing version as -1, and `_dl_match_file` (library_subr.c) lets -1 match all.
    # Versions change with nearly every release there, so a name that has one is a mistake.
    "openbsd": r"lib(c|m|pthread|util|c\+\+abi|execinfo|kvm)\.so",
    # Whole paths: dyld has no search path worth relying on.
    "macos": r"/usr/lib/(libSystem\.B|libc\+\+(\.1|abi)|libobjc\.A)\.dylib"
    r"|/System/Library/Frameworks/\w+\.framework/(Versions/\w/)?\w+",
    # Case does not matter. The Universal CRT (api-ms-win-crt-*) is a part of Windows 10.
    "windows": r"(?i:(kernel32|kernelbase|ntdll|advapi32|user32|shell32|shlwapi|ws2_32|crypt32"
    r"|bcrypt|bcryptprimitives|ole32|oleaut32|iphlpapi|secur32|userenv|version|winmm|dbghelp|psapi"
    r"|ucrtbase|mswsock|dnsapi|synchronization|api-ms-win-(core|crt|security|shcore)-[a-z0-9-]+)\.dll)",
}

_INTERPRETERS = {
    ("linux", "x86_64"): ("/lib64/ld-linux-x86-64.so.2",),
    ("linux", "aarch64"): ("/lib/ld-linux-aarch64.so.1",),
    "freebsd": ("/libexec/ld-elf.so.1",),
    # The second is a link to the first (NetBSD, libexec/ld.elf_so/Makefile).
    "netbsd": ("/libexec/ld.elf_so", "/usr/libexec/ld.elf_so"),
    "openbsd": ("/usr/libexec/ld.so",),
}


def system(target: str) -> System:
    """The facts of a target.

    Raises:
        InputError: there are none for it.
    """
    os, _, rest = target.partition("-")
    arch, _, variant = rest.partition("-")
    static = variant == "static"
    if (
        os not in _LIBRARIES
        or arch not in ("x86_64", "aarch64")
        or variant not in ("", "static")
        or (static and os != "linux")
    ):
        raise InputError(f"no structure rules for target `{target}`")
    found = _INTERPRETERS.get((os, arch), _INTERPRETERS.get(os, ()))
    return System(
        target, _FORMATS.get(os, "elf"), os, arch, static, re.compile(_LIBRARIES[os]), False, found
    )


def kind_of(where: System, name: str) -> Kind:
    """What an engine's file of that name is for."""
    if name == where.executable:
        return Kind.PROGRAM
    stem = name.removeprefix("lib").partition(".")[0]
    return Kind.LIBRARY if stem in ("ggml", "ggml-base") else Kind.MODULE
