"""Brings a file from any HTTP server."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from runtime.download.address import shown
from runtime.download.client import Client, Patience, Refused, Unreachable
from runtime.download.progress import Begin
from runtime.download.route import validator_of
from runtime.download.transfer import Fetched, Job, fetch
from runtime.download.words import WebWord
from runtime.errors import InputError
from runtime.json_input import MALFORMED, parse_json


class Web:
    """Files at addresses, kept in a folder of ours."""

    def __init__(
        self,
        folder: Path,
        *,
        offline: bool = False,
        begin: Begin = lambda _: lambda _: lambda _: None,
        note: Callable[[str], object] = lambda _: None,
        patience: Patience | None = None,
    ) -> None:
        """Begin.

        Args:
            folder: where files are kept from one run to the next.
        """
        self._folder = folder
        self._offline = offline
        self._begin = begin
        self._note = note
        self._patience = patience or Patience()

    def path(self, word: WebWord) -> Path:
        """The file, fetched unless it is here and unchanged on the server.

        Raises:
            InputError: it cannot be had.
        """
        place = self._folder / hashlib.sha256(word.url.encode()).hexdigest()[:32]
        path, facts = place / word.name, place / "facts.json"
        job = self._job(word, path, place / "fetching.incomplete")
        for _ in range(2):
            if path.exists() and self._fresh(word, path, facts):
                return path
            self._check_online(word)
            job = replace(job, replace=path.exists())
            fetched = self._fetch(job, word)
            if fetched:
                temporary = facts.with_name(f"facts.{secrets.token_hex(4)}.tmp")
                temporary.write_text(
                    json.dumps({"size": fetched.size, "validator": fetched.validator})
                )
                temporary.replace(facts)
                return path
        return path

    def bring(self, word: WebWord, target: Path, *, force: bool = False) -> None:
        """Fetch the file to `target`; `force` replaces what is there.

        Raises:
            InputError: it cannot be had.
        """
        self._check_online(word)
        partial = target.with_name(f".{target.name}.llamapack.incomplete")
        job = replace(self._job(word, target, partial), replace=force)
        self._fetch(job, word)

    def _fetch(self, job: Job, word: WebWord) -> Fetched | None:
        begin, check = self._begin(f"fetching {word.name}"), self._begin(f"checking {word.name}")
        return fetch(job, self._client(word), begin=begin, check=check)

    def _job(self, word: WebWord, target: Path, partial: Path) -> Job:
        name = hashlib.sha256(str(target.absolute()).encode()).hexdigest()[:32]
        return Job(
            url=word.url,
            label=shown(word.url),
            target=target,
            partial=partial,
            lock=self._folder / "locks" / f"{name}.lock",
            checksum=word.checksum,
        )

    def _client(self, word: WebWord) -> Client:
        return Client(word.url, basic=word.basic, note=self._note, patience=self._patience)

    def _check_online(self, word: WebWord) -> None:
        if self._offline:
            raise InputError(
                f"{shown(word.url)} was not fetched before, and the network is not to be used",
                "Fetch it once without `--offline` and HF_HUB_OFFLINE.",
            )

    def _fresh(self, word: WebWord, path: Path, facts: Path) -> bool:
        """Whether the file is what the server has now; it is where that cannot be asked."""
        if word.checksum:
            return word.checksum.of(path) == word.checksum.value
        if self._offline:
            return True
        client = replace(self._client(word), patience=replace(self._patience, tries=2))
        try:
            known = parse_json(facts.read_text(encoding="utf-8"))
            with closing(client.get(word.url, method="HEAD")) as response:
                length = response.headers.get("Content-Length")
                return bool(
                    known["validator"]
                    and validator_of(response) == known["validator"]
                    and (length is None or int(length) == known["size"] == path.stat().st_size)
                )
        except Unreachable as problem:
            self._note(f"{problem.message}; taking {word.name} as it was fetched before")
            return True
        except (OSError, Refused, *MALFORMED):
            return False
