"""What native/targets.toml says of each system, made by `python -m ci.targets`."""

from __future__ import annotations

from dataclasses import dataclass

STATIC = "-static"
"""How the names of targets end whose engines need no C library."""


@dataclass(frozen=True)
class TargetSystem:
    """An operating system."""

    name: str
    """As in the names of targets."""
    title: str
    """For people."""
    kernel: str
    """What `uname -s` says."""
    format: str
    """Of its programs: `elf`, `macho` or `pe`."""
    stub: str
    """zig's name of the system that start stubs are built for."""
    libraries: str
    """A regular expression: what files of engines may want from the system."""
    osabi: int = 0
    """EI_OSABI of its ELF programs, which may also leave it at 0."""
    note: tuple[str, int, int] | None = None
    """Of its ELF programs: vendor, least version, and the first that is too new."""
    note_first: bool = False
    """Whether its kernel looks no further than the first note."""
    needs_origin_flag: bool = False
    """Whether its loader expands `$ORIGIN` only in files that have DF_ORIGIN."""
    bash: str = ""
    """How to install bash, where the system's own shells do not start files for Windows."""


@dataclass(frozen=True)
class Target:
    """A system and an architecture that engines are built for."""

    name: str
    """Operating system, architecture, and `-static` if it needs no C library."""
    os: str
    arch: str
    zig: str
    """zig's `-target`, with the oldest system version that it supports."""
    floor: str
    """The oldest system that its engine and stub run on, for people."""
    uname: tuple[str, ...] = ()
    """What start.sh makes of `uname -m`; empty where no shell starts bundles."""
    loaders: tuple[str, ...] = ()
    """The program that starts the engine, by all its names; empty if it needs none."""
    emulates: str = ""
    """The architecture whose programs this system runs, too."""

    @property
    def static(self) -> bool:
        """One executable; else ggml's libraries and CPU variants are in its folder."""
        return self.name.endswith(STATIC)

    @property
    def executable(self) -> str:
        """File name of the engine's program."""
        return executable(self.os)

    @property
    def stub(self) -> str:
        """Name of the start stub: the static engine shares that of its system."""
        return stub_of(self.name)

    @property
    def guest(self) -> str:
        """The target whose programs this one emulates; empty if there is none."""
        return self.emulates and f"{self.os}-{self.emulates}"


def stub_of(target: str) -> str:
    """The name of the start stub for a target, known or not."""
    return target.removesuffix(STATIC)


def executable(system: str) -> str:
    """File name of the engine's program on a system, known or not."""
    return EXECUTABLES[system == "windows"]


EXECUTABLES = ("llamapack-engine", "llamapack-engine.exe")
ARCHITECTURES = {
    "x86_64": "x86-64",
    "aarch64": "ARM64",
}
"""Titles, by what targets call them."""
ARCHITECTURE_NAMES = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "evbarm": "aarch64",
}
"""What systems call them, in lower case."""
SYSTEMS = {
    "linux": TargetSystem(
        name="linux", title="Linux", kernel="Linux", format="elf", stub="linux-musl",
        libraries=r"lib(c|m|mvec|dl|rt|pthread)\.so\.\d+|ld-linux-(x86-64|aarch64)\.so\.\d",
        osabi=3,
    ),
    "macos": TargetSystem(
        name="macos", title="macOS", kernel="Darwin", format="macho", stub="macos.13.0",
        libraries=r"/usr/lib/(libSystem\.B|libc\+\+(\.1|abi)|libobjc\.A)\.dylib|/System/Library/Frameworks/\w+\.framework/(Versions/\w/)?\w+",
    ),
    "windows": TargetSystem(
        name="windows", title="Windows", kernel="Windows", format="pe", stub="windows.win10-gnu",
        libraries=r"(?i:(kernel32|kernelbase|ntdll|advapi32|user32|shell32|shlwapi|ws2_32|crypt32|bcrypt|bcryptprimitives|ole32|oleaut32|iphlpapi|secur32|userenv|version|winmm|dbghelp|psapi|ucrtbase|mswsock|dnsapi|synchronization|api-ms-win-(core|crt|security|shcore)-[a-z0-9-]+)\.dll)",
    ),
    "freebsd": TargetSystem(
        name="freebsd", title="FreeBSD", kernel="FreeBSD", format="elf", stub="freebsd.14.0",
        libraries=r"lib(c|m|thr|util|rt|dl|gcc_s|execinfo|kvm|md)\.so\.\d+", osabi=9,
        note=("FreeBSD", 1_400_000, 1_500_000), needs_origin_flag=True,
    ),
    "openbsd": TargetSystem(
        name="openbsd", title="OpenBSD", kernel="OpenBSD", format="elf", stub="openbsd",
        libraries=r"lib(c|m|pthread|util|c\+\+abi|execinfo|kvm)\.so", osabi=12,
        note=("OpenBSD", 0, 1), note_first=True, needs_origin_flag=True, bash="doas pkg_add bash",
    ),
    "netbsd": TargetSystem(
        name="netbsd", title="NetBSD", kernel="NetBSD", format="elf", stub="netbsd.10.1",
        libraries=r"lib(c|m|pthread|util|rt|gcc_s|execinfo|kvm)\.so\.\d+", osabi=2,
        note=("NetBSD", 1_000_000_000, 1_100_000_000),
    ),
}  # fmt: skip
TARGETS = {
    "linux-x86_64": Target(
        name="linux-x86_64", os="linux", arch="x86_64", zig="x86_64-linux-gnu.2.17",
        floor="glibc 2.17", uname=("x86_64", "amd64"), loaders=("/lib64/ld-linux-x86-64.so.2",),
    ),
    "linux-x86_64-static": Target(
        name="linux-x86_64-static", os="linux", arch="x86_64", zig="x86_64-linux-musl",
        floor="Linux 3.17", uname=("x86_64", "amd64"),
    ),
    "linux-aarch64": Target(
        name="linux-aarch64", os="linux", arch="aarch64", zig="aarch64-linux-gnu.2.17",
        floor="glibc 2.17", uname=("aarch64", "arm64"), loaders=("/lib/ld-linux-aarch64.so.1",),
    ),
    "linux-aarch64-static": Target(
        name="linux-aarch64-static", os="linux", arch="aarch64", zig="aarch64-linux-musl",
        floor="Linux 3.17", uname=("aarch64", "arm64"),
    ),
    "macos-x86_64": Target(
        name="macos-x86_64", os="macos", arch="x86_64", zig="x86_64-macos.13.0",
        floor="macOS 13.0", uname=("x86_64",),
    ),
    "macos-aarch64": Target(
        name="macos-aarch64", os="macos", arch="aarch64", zig="aarch64-macos.13.0",
        floor="macOS 13.0", uname=("arm64",), emulates="x86_64",
    ),
    "windows-x86_64": Target(
        name="windows-x86_64", os="windows", arch="x86_64", zig="x86_64-windows.win10-gnu",
        floor="Windows 10",
    ),
    "windows-aarch64": Target(
        name="windows-aarch64", os="windows", arch="aarch64", zig="aarch64-windows.win10-gnu",
        floor="Windows 10", emulates="x86_64",
    ),
    "freebsd-x86_64": Target(
        name="freebsd-x86_64", os="freebsd", arch="x86_64", zig="x86_64-freebsd.14.0",
        floor="FreeBSD 14.0", uname=("amd64",), loaders=("/libexec/ld-elf.so.1",),
    ),
    "freebsd-aarch64": Target(
        name="freebsd-aarch64", os="freebsd", arch="aarch64", zig="aarch64-freebsd.14.0",
        floor="FreeBSD 14.0", uname=("arm64",), loaders=("/libexec/ld-elf.so.1",),
    ),
    "openbsd-x86_64": Target(
        name="openbsd-x86_64", os="openbsd", arch="x86_64", zig="x86_64-openbsd",
        floor="OpenBSD 7.8", uname=("amd64",), loaders=("/usr/libexec/ld.so",),
    ),
    "openbsd-aarch64": Target(
        name="openbsd-aarch64", os="openbsd", arch="aarch64", zig="aarch64-openbsd",
        floor="OpenBSD 7.8", uname=("arm64",), loaders=("/usr/libexec/ld.so",),
    ),
    "netbsd-x86_64": Target(
        name="netbsd-x86_64", os="netbsd", arch="x86_64", zig="x86_64-netbsd.10.1",
        floor="NetBSD 10.1", uname=("amd64",),
        loaders=("/libexec/ld.elf_so", "/usr/libexec/ld.elf_so"),
    ),
    "netbsd-aarch64": Target(
        name="netbsd-aarch64", os="netbsd", arch="aarch64", zig="aarch64-netbsd.10.1",
        floor="NetBSD 10.1", uname=("aarch64",),
        loaders=("/libexec/ld.elf_so", "/usr/libexec/ld.elf_so"),
    ),
}  # fmt: skip
