"""Reads Linux' table of programs that start others by their first bytes or their name's ending.

Source: the kernel's Documentation/admin-guide/binfmt-misc.rst and fs/binfmt_misc.c. Both the search
and the directory's listing begin with the newest registration.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.machine.machine import Machine

FOLDER = "/proc/sys/fs/binfmt_misc"


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


def is_mounted(machine: Machine) -> bool:
    """Whether programs can be registered."""
    return machine.path(f"{FOLDER}/register").exists()


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
