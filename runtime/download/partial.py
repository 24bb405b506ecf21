"""A file of which only some bytes are here yet: which ones, and what they are part of.

Beside the bytes (`X.incomplete`) lies `X.incomplete.json`, rewritten whole after each piece. Bytes
that it does not name do not count, so that a crash at any moment costs work and never correctness.
With `fetch -o` both lie in a folder of the user's, where a stranger may have put such files: where
no checksum will tell, they count only if the inode of the bytes is the one that the other states.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

from runtime.errors import InputError
from runtime.json_input import MALFORMED, is_count, parse_json

Span = tuple[int, int]
"""First byte, and the one after the last."""

_STATE_LIMIT = 4 << 20  # bytes


class Partial:
    """The bytes so far. Safe to use from several threads."""

    def __init__(self, path: Path, *, checked: bool = False) -> None:
        """Take what is here.

        Args:
            checked: whether a checksum will tell that the bytes are right.
        """
        self.path = path
        self.size: int | None = None
        """Bytes of the whole, if known."""
        self.validator: str | None = None
        """ETag, or else the date, of what the bytes are part of; None if the server gives none."""
        self._state = path.with_name(f"{path.name}.json")
        self._done: list[Span] = []
        self._mutex = threading.Lock()
        self._load(checked)

    def _load(self, checked: bool) -> None:
        try:
            facts = self.path.lstat()
            if not _plain(facts) or not _plain(self._state.lstat()):
                return  # bytes written to a link would go elsewhere
            with self._state.open("rb") as file:
                state = parse_json(file.read(_STATE_LIMIT + 1), limit=_STATE_LIMIT)
            size, validator = state["size"], state["validator"]
            done = [(start, end) for start, end in state["done"]]
            own = checked or state["inode"] == facts.st_ino
        except (OSError, *MALFORMED):
            return
        if not own or not all(is_count(place) for span in done for place in span):
            return
        if (size is None or is_count(size)) and (validator is None or isinstance(validator, str)):
            self.size, self.validator = size, validator
            for start, end in done:
                if start < end <= facts.st_size:
                    self._add(start, end)

    @property
    def done(self) -> int:
        """Bytes that are here."""
        with self._mutex:
            return sum(end - start for start, end in self._done)

    def missing(self, size: int) -> list[Span]:
        """What is not here of a whole of `size` bytes."""
        gaps, position = [], 0
        with self._mutex:
            for start, end in self._done:
                if position < start:
                    gaps.append((position, min(start, size)))
                position = end
        if position < size:
            gaps.append((position, size))
        return gaps

    def begin(self, size: int | None, validator: str | None) -> None:
        """Forget all bytes and begin a file of this size and validator."""
        with self._mutex:
            self._done = []
            self.size, self.validator = size, validator
            self._state.unlink(missing_ok=True)
            # Not the same file emptied: a thread that was given up may still write to that.
            self.path.unlink(missing_ok=True)
            with self.path.open("xb") as file:
                if size:
                    file.truncate(size)

    def adopt(self, count: int) -> None:
        """Take the first `count` bytes of the file as here: another program wrote them."""
        with self._mutex:
            self._done = [(0, count)]

    def add(self, start: int, end: int) -> None:
        """These bytes are in the file now."""
        if start == end:
            return
        with self._mutex:
            self._add(start, end)
            self._save()

    def _add(self, start: int, end: int) -> None:
        joined: list[Span] = []
        for first, last in sorted([*self._done, (start, end)]):
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        self._done = joined

    def _save(self) -> None:
        # First the bytes, then the word that they are there.
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        state = {
            "done": self._done,
            "inode": self.path.stat().st_ino,
            "size": self.size,
            "validator": self.validator,
        }
        temporary = self._state.with_name(f"{self._state.name}.new")
        temporary.unlink(missing_ok=True)
        with temporary.open("x", encoding="utf-8") as text:
            text.write(json.dumps(state))
        temporary.replace(self._state)

    def discard(self) -> None:
        """Remove the bytes."""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)
        self._done, self.size, self.validator = [], None, None

    def publish(self, target: Path, *, replace: bool) -> None:
        """The whole is here: give it its name.

        Raises:
            InputError: there is a file of that name, and it is not to be replaced.
        """
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        if not replace:
            try:
                # Unlike a rename this never replaces a file that came into being meanwhile.
                target.hardlink_to(self.path)
            except FileExistsError:
                raise InputError(
                    f"{target} came to be while it was fetched", "Remove it, and run again."
                ) from None
            except OSError:
                pass  # a file system without hard links
        if replace or not target.exists():
            self.path.replace(target)
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)


def _plain(facts: os.stat_result) -> bool:
    """Whether it is a file under one name."""
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1
