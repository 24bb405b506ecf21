"""Downloads files from any HTTP server."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import replace
from pathlib import Path

from requests.auth import HTTPBasicAuth

from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.hub.answers import Bearer, Patience, Report, Unserved, head, validator_of
from runtime.hub.transfer import Job, fetch
from runtime.hub.words import WebWord, shown


class Web:
    """Files at addresses, kept in a folder from one run to the next."""

    def __init__(
        self,
        folder: Path,
        report: Report | None = None,
        *,
        offline: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self._folder = folder
        self._offline = offline
        self._report = report or Report()
        self._patience = patience or Patience()

    def path(self, word: WebWord) -> Path:
        """The file, downloaded unless it is here and unchanged on the server."""
        place = self._folder / hashlib.sha256(word.url.encode()).hexdigest()[:32]
        path, facts = place / word.name, place / "facts.json"
        job = self._job(word, path, place / "fetching.incomplete")
        for _ in range(2):
            if path.exists() and self._fresh(word, path, facts):
                return path
            self._check_online(word)
            fetched = fetch(replace(job, replace=path.exists()), self._report, self._patience)
            if fetched:
                temporary = facts.with_name(f"facts.{secrets.token_hex(4)}.tmp")
                temporary.write_text(
                    json.dumps({"size": fetched.size, "validator": fetched.validator})
                )
                temporary.replace(facts)
                return path
        return path

    def bring(self, word: WebWord, target: Path, *, force: bool = False) -> None:
        """Download the file to `target`; `force` replaces an existing file."""
        self._check_online(word)
        partial = target.with_name(f".{target.name}.llamapack.incomplete")
        job = replace(self._job(word, target, partial), replace=force)
        fetch(job, self._report, self._patience)

    def _job(self, word: WebWord, target: Path, partial: Path) -> Job:
        name = hashlib.sha256(str(target.absolute()).encode()).hexdigest()[:32]
        return Job(
            url=word.url,
            label=shown(word.url),
            name=word.name,
            target=target,
            partial=partial,
            lock=self._folder / "locks" / f"{name}.lock",
            auth=HTTPBasicAuth(*word.basic) if word.basic else Bearer(),
            checksum=word.checksum,
        )

    def _check_online(self, word: WebWord) -> None:
        if self._offline:
            raise InputError(
                f"{shown(word.url)} is not in the cache, and the network is off",
                "Download it once without `--offline` and HF_HUB_OFFLINE.",
            )

    def _fresh(self, word: WebWord, path: Path, facts: Path) -> bool:
        """Whether the file is unchanged on the server, or the server cannot be asked."""
        if word.checksum:
            return word.checksum.of(path) == word.checksum.value
        if self._offline:
            return True
        try:
            response = head(word.url, self._job(word, path, path).auth)
        except Unserved as problem:
            self._report.note(f"{problem.message}; using the earlier download of {word.name}")
            return True
        try:
            known = parse_json(facts.read_text(encoding="utf-8"))
            length = response.headers.get("Content-Length") or str(known["size"])
            return bool(
                known["validator"]
                and validator_of(response) == known["validator"]
                and length == str(known["size"]) == str(path.stat().st_size)
            )
        except (OSError, *MALFORMED):
            return False
