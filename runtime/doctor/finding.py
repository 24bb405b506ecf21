"""What a check says: one sentence, how bad it is, and how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    """Short name of the check, such as `cache`; several findings may share one."""
    state: State
    what: str
    """One sentence without a full stop."""
    mend: str = ""
    """Ways out, one per line, best first, with commands in backticks; empty if there is none."""


def ok(check: str, what: str, *mend: str) -> Finding:
    """Something that is as it should be."""
    return Finding(check, "ok", what, "\n".join(mend))


def note(check: str, what: str, *mend: str) -> Finding:
    """Something to know that stops nobody."""
    return Finding(check, "note", what, "\n".join(mend))


def problem(check: str, what: str, *mend: str) -> Finding:
    """Something for which a start fails."""
    return Finding(check, "problem", what, "\n".join(mend))
