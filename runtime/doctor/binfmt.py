"""Linux: does another program registered in binfmt_misc start our files, or an APE loader?

Source: the kernel's Documentation/admin-guide/binfmt-misc.rst and fs/binfmt_misc.c. Both the search
and the directory's listing begin with the newest registration.
"""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.machine.head import APE_UNIX, APE_WINDOWS
from runtime.machine.machine import Machine

FOLDER = "/proc/sys/fs/binfmt_misc"
_CONFIGURATIONS = ("/etc/binfmt.d", "/run/binfmt.d", "/usr/local/lib/binfmt.d", "/usr/lib/binfmt.d")
_NAME = "m.llamafile"  # of a bundle, if no file is examined
_LOADERS = ("/usr/bin/ape", "/usr/local/bin/ape", "/opt/cosmo/bin/ape")
_REGISTRATIONS = {"APE": "MZqFpD", "APE-jart": "jartsr"}


@dataclass(frozen=True)
class Handler:
    """One registration."""

    name: str
    interpreter: str
    flags: str = ""
    magic: bytes = b""
    mask: bytes = b""
    """As long as `magic`, or empty."""
    offset: int = 0
    """Bytes from the start of a file to where `magic` has to be."""
    extension: str = ""
    """Ending of names without the dot; empty if it goes by `magic`."""

    def takes(self, head: bytes, name: str) -> bool:
        """Whether the kernel gives it the file called `name` that begins with `head`."""
        if self.extension:
            return "." in name and name.rpartition(".")[2] == self.extension
        found = head[self.offset : self.offset + len(self.magic)]
        mask = self.mask or b"\xff" * len(self.magic)
        return bool(self.magic) and len(found) == len(self.magic) and all(
            not (a ^ b) & m for a, b, m in zip(found, self.magic, mask, strict=False)
        )  # fmt: skip

    @property
    def is_ape(self) -> bool:
        """Whether it is meant for files such as ours: by its magic, or by its program's name."""
        by_magic = not self.offset and self.magic.startswith((b"MZqFpD", b"jartsr"))
        return by_magic or self.interpreter.rpartition("/")[2].startswith("ape")


def handlers(machine: Machine) -> list[Handler]:
    """The enabled registrations in the order in which the kernel asks them."""
    if machine.text(f"{FOLDER}/status").strip() == "disabled":
        return []
    try:
        names = machine.listed(machine.path(FOLDER))
    except OSError:
        return []
    texts = {name: machine.text(f"{FOLDER}/{name}") for name in names}
    found = [_handler(name, text) for name, text in texts.items() if text.startswith("enabled\n")]
    return [handler for handler in found if handler]


def _handler(name: str, text: str) -> Handler | None:
    fields = dict(line.partition(" ")[::2] for line in text.splitlines()[1:])
    if "interpreter" not in fields:
        return None
    try:
        return Handler(
            name=name,
            interpreter=fields["interpreter"],
            flags=fields.get("flags:", ""),
            magic=bytes.fromhex(fields.get("magic", "")),
            mask=bytes.fromhex(fields.get("mask", "")),
            offset=int(fields.get("offset", "0")),
            extension=fields.get("extension", "").removeprefix("."),
        )
    except ValueError:
        return None


def _first_handler(machine: Machine, subject: Subject | None, head: bytes) -> Handler | None:
    """The registration that gets a file with this head, if there is one."""
    name = subject.path.name if subject else _NAME
    return next((h for h in handlers(machine) if h.takes(head, name)), None)


def starts_by_ape(machine: Machine, subject: Subject | None) -> bool:
    """Whether the kernel gives such files to an APE loader, so that no shell is needed."""
    heads = [subject.head] if subject else [APE_WINDOWS, APE_UNIX]
    found = [_first_handler(machine, subject, head) for head in heads]
    return all(handler and handler.is_ape for handler in found)


def hijackers(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Registrations for Windows or .NET programs that get bundles instead of the shell."""
    if machine.system != "linux" or (subject and not subject.kind.is_ape):
        return
    # An MZ head is the one that others take; a bundle without Windows has none.
    head, name = (subject.head, subject.path.name) if subject else (APE_WINDOWS, _NAME)
    takers = [handler for handler in handlers(machine) if handler.takes(head, name)]
    whose = "it" if subject else "bundles with a Windows start"
    if not takers:
        yield ok("binfmt", f"no program registered in binfmt_misc takes {whose} for its own")
        return
    if takers[0].is_ape:
        yield _loader(machine, takers[0])
        return
    wrong = []
    for handler in takers:
        if handler.is_ape:
            break
        wrong.append(handler)
    names = ", ".join(f"{h.name} ({_whose(h)}, {h.interpreter})" for h in wrong)
    also = " (an APE loader is registered, too, but the newest registration wins)"
    yield problem(
        "binfmt",
        f"{names} in binfmt_misc gets {whose}{also if len(wrong) < len(takers) else ''}",
        f"`sh {subject.shell if subject else './' + _NAME}` starts it all the same",
        *(
            f"`echo -1 | sudo tee {_entry(h)}` takes {h.name} away until the next boot"
            for h in wrong
        ),
        *dict.fromkeys(line for handler in wrong for line in _for_good(machine, handler)),
    )


def registration(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Without an APE loader registered, only shells start bundles."""
    if machine.system != "linux" or (subject and not subject.kind.is_ape):
        return
    present = handlers(machine)
    missing = {
        name: magic
        for name, magic in _REGISTRATIONS.items()
        if not any(h.is_ape and h.takes(f"{magic}='\n".encode(), _NAME) for h in present)
        and (not subject or subject.head.startswith(magic.encode()))
    }
    if not missing:
        yield ok("ape", "an APE loader is registered: every program can start bundles")
        return
    loader = find_loader(machine)
    place = str(loader or _LOADERS[0])
    lines = [
        f"`echo ':{name}:M::{magic}::{place}:' | sudo tee {FOLDER}/register`"
        for name, magic in missing.items()
    ]
    if not machine.path(f"{FOLDER}/register").exists():
        lines.insert(0, f"`sudo mount -t binfmt_misc binfmt_misc {FOLDER}`")
    rules = " ".join(f"':{name}:M::{magic}::{place}:'" for name, magic in missing.items())
    lines.append(f"`printf '%s\\n' {rules} | sudo tee /etc/binfmt.d/zz-ape.conf` keeps them")
    script = subject.shell if subject else f"./{_NAME}"
    if not loader:
        lines.insert(0, f"or put cosmopolitan's `ape` at {place} first, and only then register it:")
    yield note(
        "ape",
        "no APE loader is registered in binfmt_misc: shells start bundles, but programs that use "
        "execve alone (systemd, Docker's exec form, Python's subprocess) do not",
        f"`sh {script}` is what such programs have to start",
        *lines,
    )


def find_loader(machine: Machine) -> Path | None:
    """An `ape` in PATH, in its usual places, or left by another APE program in home or TMPDIR."""
    found = machine.program("ape")
    if found:
        return found
    for place in _LOADERS:
        if machine.path(place).is_file():
            return Path(place)
    for folder in (machine.env.get("TMPDIR"), machine.env.get("HOME")):
        if folder and Path(folder).is_dir():
            names = sorted(fnmatch.filter((p.name for p in Path(folder).iterdir()), ".ape-*"))
            # The kernel's line has colons between its fields.
            if names and ":" not in folder:
                return Path(folder, names[-1])
    return None


def _loader(machine: Machine, handler: Handler) -> Finding:
    # With F the kernel holds the program open since its registration.
    if "F" in handler.flags or machine.path(handler.interpreter).exists():
        return ok("binfmt", f"{handler.name} in binfmt_misc starts it by {handler.interpreter}")
    return problem(
        "binfmt",
        f"{handler.name} in binfmt_misc names {handler.interpreter}, which does not exist",
        f"`echo -1 | sudo tee {_entry(handler)}`",
    )


def _entry(handler: Handler) -> str:
    return shlex.quote(f"{FOLDER}/{handler.name}")


def _whose(handler: Handler) -> str:
    program = handler.interpreter.rpartition("/")[2]
    if handler.name.startswith("WSLInterop"):
        return "WSL's start of Windows programs"
    if program == "run-detectors":
        return "binfmt-support, which asks Wine, Mono and others"
    if "wine" in program.lower() or handler.name.lower() in ("wine", "doswin"):
        return "Wine"
    if "mono" in program or handler.name.lower() in ("cli", "clr"):
        return "Mono"
    return "another program"


def _for_good(machine: Machine, handler: Handler) -> Iterator[str]:
    """How to prevent that a registration comes back at the next boot."""
    if handler.name.startswith("WSLInterop"):
        yield (
            "for good: the lines `[interop]` and `enabled=false` in /etc/wsl.conf, then "
            "`wsl.exe --shutdown`; Windows programs do not start from Linux then (some versions of "
            "WSL are reported to keep the entry all the same)"
        )
    elif machine.path(f"/var/lib/binfmts/{handler.name}").exists():
        yield f"for good: `sudo update-binfmts --disable {shlex.quote(handler.name)}`"
    else:
        for folder in _CONFIGURATIONS:
            for file in sorted(machine.path(folder).glob("*.conf")):
                if f":{handler.name}:" in machine.text(f"{folder}/{file.name}"):
                    mask = shlex.quote(f"/etc/binfmt.d/{file.name}")
                    yield f"for good: `sudo ln -sf /dev/null {mask}` masks {folder}/{file.name}"
                    return
