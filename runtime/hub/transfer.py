"""Downloads one file by HTTP, in one stream, and resumes where a failure or a crash ended it.

A file gets its name only when its size, and its hash if one is known, are right.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from runtime.errors import InputError, full_disk_named
from runtime.formats.json_input import MALFORMED, is_count, parse_json
from runtime.hub.answers import (
    LATER,
    Patience,
    Report,
    Session,
    Unserved,
    ask,
    check,
    validator_of,
)
from runtime.hub.words import Checksum
from runtime.locks import locked

_READ = 1 << 20  # bytes
_STATE = 1 << 16  # bytes
_SAVED = 1.0  # seconds of work that a crash may cost
_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19})", re.ASCII)
_LENGTH = re.compile(r"\d{1,19}", re.ASCII)


@dataclass(frozen=True)
class Job:
    """One file to download."""

    url: str
    label: str
    """Its name in messages."""
    name: str
    """Its name in progress."""
    target: Path
    partial: Path
    """The unfinished file, on the same file system."""
    lock: Path
    """Lock file, held during the download."""
    auth: AuthBase
    size: int | None = None
    """Bytes, if known."""
    checksum: Checksum | None = None
    replace: bool = False
    """Whether a file at `target` is replaced. If false, a file that another process finished while
    we waited for the lock is accepted."""


@dataclass(frozen=True)
class Fetched:
    """A downloaded file."""

    size: int
    """Bytes."""
    validator: str | None
    """The server's ETag, or else date."""


def fetch(job: Job, report: Report, patience: Patience) -> Fetched | None:
    """Download a file; None if another process did so while we waited for it.

    Raises:
        Unserved: the server does not send it, or sends another file than stated.
        InputError: there is no space for it, or another file has its name.
    """
    job.target.parent.mkdir(parents=True, exist_ok=True)
    job.partial.parent.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        report.note(f"another program is downloading {job.label}; waiting for it")

    with locked(job.lock, waiting=waiting), full_disk_named(job.target):
        if job.target.exists() and not job.replace:
            return None
        return _Download(job, report, patience).run()


class _Download:
    def __init__(self, job: Job, report: Report, patience: Patience) -> None:
        self._job, self._report, self._patience = job, report, patience
        self._session = Session(job.auth)
        self._state = job.partial.with_name(f"{job.partial.name}.json")
        self._advance: Callable[[int], object] | None = None
        self._shown = 0
        self._size: int | None = None
        self._validator: str | None = None
        self._done = self._load()

    def run(self) -> Fetched:
        old = self._done > 0
        while True:
            self._bring()
            found = Fetched(self._done, self._validator)
            problem = damage(self._job, self._job.partial, self._report)
            if problem is None:
                publish(self._job, self._job.partial)
                self._discard()
                return found
            self._discard()
            if not old:
                raise problem
            self._report.note(f"{self._job.label}: the leftover of an earlier run cannot be used")
            old = False

    def _load(self) -> int:
        """The number of bytes that an earlier run left.

        With `fetch -o` they are in a folder of the user's, where a stranger may have put them:
        without a checksum, the inode must be the one that was noted.
        """
        job = self._job
        try:
            facts = job.partial.lstat()
            if not (_is_plain(facts) and _is_plain(self._state.lstat())):
                return 0  # bytes written to a link would go elsewhere
            with self._state.open("rb") as file:
                state = parse_json(file.read(_STATE + 1), limit=_STATE)
            done, size, validator = state["done"], state["size"], state["validator"]
            own = job.checksum or (validator and state["inode"] == facts.st_ino)
        except (OSError, *MALFORMED):
            return 0
        limit = facts.st_size if size is None else size
        if not (
            own
            and (is_count(done) and is_count(limit) and done <= min(limit, facts.st_size))
            and (validator is None or isinstance(validator, str))
            and job.size in (None, size)
        ):
            return 0
        self._size, self._validator = size, validator
        return done

    def _save(self, file: BinaryIO) -> None:
        # First the bytes, then the statement about them.
        file.flush()
        os.fsync(file.fileno())
        state = {
            "done": self._done,
            "inode": os.fstat(file.fileno()).st_ino,
            "size": self._size,
            "validator": self._validator,
        }
        temporary = self._state.with_name(f"{self._state.name}.new")
        temporary.unlink(missing_ok=True)
        with temporary.open("x", encoding="utf-8") as text:
            text.write(json.dumps(state))
        temporary.replace(self._state)

    def _discard(self) -> None:
        self._state.unlink(missing_ok=True)
        self._job.partial.unlink(missing_ok=True)
        self._done, self._size, self._validator = 0, None, None

    def _bring(self) -> None:
        failed, most = 0, self._done
        while self._done != self._size or not self._job.checksum:
            try:
                with closing(self._request()) as response:
                    if self._take(response):
                        return
                of = f" of {self._size:,}" if self._size is not None else ""
                message = f"the connection broke at byte {max(most, self._done):,}{of}"
                problem = Unserved(f"{self._job.label}: {message}", LATER, again=True)
            except Unserved as unserved:
                problem = unserved
            failed = 1 if self._done > most else failed + 1
            most = max(most, self._done)
            if not (self._validator or self._job.checksum):
                self._discard()  # the rest could be of another file
            self._patience.wait(failed, problem, self._report.note)

    def _request(self) -> requests.Response:
        headers = {}
        if self._done:
            # The last byte again: a server can answer that even if nothing is missing.
            headers["Range"] = f"bytes={self._done - 1}-"
            if self._validator and not self._job.checksum:
                headers["If-Range"] = self._validator
        return ask(self._session, "GET", self._job.url, headers)

    def _take(self, response: requests.Response) -> bool:
        """Write the body; return whether the file is complete."""
        if self._done and response.status_code in (206, 416):
            if not self._continues(response):
                self._report.note(f"{self._job.label} cannot be continued; downloading it again")
                self._discard()
                return False
            self._done -= 1
        else:
            self._begin(response)
        self._show()
        saved, ended = time.monotonic(), False
        with self._job.partial.open("rb+") as file:
            file.seek(self._done)
            try:
                while self._size is None or self._done <= self._size:
                    data = _read(response)
                    if not data:
                        ended = data is not None
                        break
                    file.write(data)
                    self._done += len(data)
                    self._show()
                    if time.monotonic() - saved > _SAVED:
                        self._save(file)
                        saved = time.monotonic()
            finally:
                file.truncate(self._done)  # an earlier run may have written more
                self._save(file)
        return ended if self._size is None else self._done == self._size

    def _continues(self, response: requests.Response) -> bool:
        """Whether the answer continues our file."""
        found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        validator = None if self._job.checksum else validator_of(response)
        return (
            response.status_code == 206
            and found is not None
            and int(found[1]) == self._done - 1
            and self._size in (None, int(found[2]))
            and validator in (None, self._validator)
        )

    def _begin(self, response: requests.Response) -> None:
        """Begin again with an answer that is the whole file."""
        job = self._job
        check(response, job.url)
        text = response.headers.get("Content-Length", "")
        size = int(text) if _LENGTH.fullmatch(text) else None
        if job.size is not None and size not in (None, job.size):
            self._discard()
            raise Unserved(
                f"{job.label}: the server offers {size:,} bytes instead of {job.size:,}",
                "Try again later; if the error stays, the file on the server is damaged.",
            )
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if size is None and job.size is None and job.checksum is None and not chunked:
            raise Unserved(
                f"{job.label}: the server does not state its length, so an incomplete download "
                "could not be detected",
                "Add `#sha256=…` with the file's SHA-256 to the address.",
            )
        validator = validator_of(response)
        if self._done and not job.checksum and validator != self._validator:
            self._report.note(f"{job.label} changed on the server; downloading it again")
        self._discard()
        self._size, self._validator = job.size if size is None else size, validator
        free = shutil.disk_usage(job.partial.parent).free
        if free < (self._size or 0):
            raise InputError(
                f"no space for {job.label}: it needs {self._size:,} bytes, "
                f"the disk of {job.partial.parent} has {free:,}",
                "Free some space, or choose another place (HF_HUB_CACHE, `-o`).",
            )
        job.partial.open("xb").close()

    def _show(self) -> None:
        if self._advance is None:
            self._advance = self._report.begin(f"fetching {self._job.name}")(self._size)
        if self._done != self._shown:
            self._advance(self._done - self._shown)
        self._shown = self._done


def damage(job: Job, path: Path, report: Report) -> Unserved | None:
    """The fault of the file at `path`, which was downloaded for `job`, or None."""
    size, wanted = path.stat().st_size, job.checksum
    if job.size not in (None, size):
        message = f"{job.label} has {size:,} bytes instead of {job.size:,}"
    elif wanted is None:
        return None
    else:
        found = wanted.of(path, report.begin(f"checking {job.name}")(size))
        if found == wanted.value:
            return None
        message = f"{job.label} is damaged: its {wanted.kind} is {found}, expected {wanted.value}"
    tip = "Run the command again; if the error stays, the file on the server is damaged."
    return Unserved(message, tip)


def publish(job: Job, path: Path) -> None:
    """Give the complete file at `path` its name; `InputError` if another file has it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    if not job.replace:
        try:
            # Unlike a rename this never replaces a file that was created meanwhile.
            job.target.hardlink_to(path)
        except FileExistsError:
            raise InputError(
                f"{job.target} was created by another program during the download",
                "Remove it, and run the command again.",
            ) from None
        except OSError:
            pass  # a file system without hard links
    if job.replace or not job.target.exists():
        path.replace(job.target)
    path.unlink(missing_ok=True)


def _is_plain(facts: os.stat_result) -> bool:
    """Whether it is a file under one name."""
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1


def _read(response: requests.Response) -> bytes | None:
    """A piece of the body; empty at its end, None if the connection breaks."""
    try:
        data: bytes = response.raw.read(_READ, decode_content=False)
    except (requests.RequestException, HTTPError, OSError):
        return None
    return data
