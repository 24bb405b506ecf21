"""Brings weights from the Hub into the cache that `huggingface_hub` and llama.cpp share with us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.download.choice import (
    best_model,
    best_projector,
    checkpoint_files,
    missing_shards,
    shards,
)
from runtime.download.client import Client, Patience, Refused, Unreachable
from runtime.download.hub_api import COMMIT, HubApi, Listing, RemoteFile
from runtime.download.hub_cache import RepoCache
from runtime.download.progress import Begin
from runtime.download.settings import Settings
from runtime.download.transfer import Job, fetch
from runtime.download.words import HubWord
from runtime.errors import InputError

_XET = 50_000_000_000  # bytes; above, plain HTTP is refused


class NoGguf(InputError):
    """A repository has no GGUF at all."""

    def __init__(self, message: str, tip: str, files: Sequence[str]) -> None:
        super().__init__(message, tip)
        self.files = files
        """What it has instead."""


Choose = Callable[[HubWord, Listing], Sequence[str] | None]
"""The files that are asked for, of those that are listed; None if not all are."""


@dataclass(frozen=True)
class HubModel:
    """A model in a repository: which files it is."""

    word: HubWord
    listing: Listing
    files: tuple[str, ...]
    """Of the model, its first shard first."""
    projector: str | None
    """The projector of a vision model that goes with it."""


class Hub:
    """The Hub as the environment describes it, with its cache."""

    def __init__(
        self,
        settings: Settings,
        *,
        begin: Begin = lambda _: lambda _: lambda _: None,
        note: Callable[[str], object] = lambda _: None,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings
        self._begin = begin
        self._note = note
        self._client = Client(
            settings.endpoint, token=settings.token, note=note, patience=patience or Patience()
        )
        self._api = HubApi(self._client, settings.endpoint)

    def model(self, word: HubWord) -> HubModel:
        """Find out which GGUF files `word` means.

        Without network, or where the Hub cannot be reached, the cache answers.

        Raises:
            NoGguf: there are none in the repository.
            InputError: it means none, or may not be had.
        """
        return self._find(word, _wanted)

    def checkpoint(self, word: HubWord) -> HubModel:
        """The files of a repository that a GGUF can be made from, likewise.

        Raises:
            NoGguf: there are none either.
            InputError: they may not be had.
        """
        return self._find(word, lambda _, listing: checkpoint_files(listing.files))

    def one(self, word: HubWord, file: str) -> HubModel:
        """A file at the top of a repository, whatever else is there.

        Raises:
            InputError: there is none, or it may not be had.
        """
        return self._find(word, lambda _, listing: [file] if file in listing.files else None)

    def _find(self, word: HubWord, choose: Choose) -> HubModel:
        here = self._cached(word)
        whole = choose(word, here) if here else None
        if whole and here and word.file and COMMIT.fullmatch(word.revision):
            return self._model(word, replace(here, asked=False), whole)
        listing = self._listing(word, here if whole else None)
        chosen = choose(word, listing)
        if chosen is None:
            raise self._no_file(word, listing)
        return self._model(word, listing, chosen)

    def repository(self, word: HubWord) -> HubModel:
        """A repository for what lies in it besides models: `files` is empty.

        Raises:
            InputError: it may not be had.
        """
        return HubModel(word, self._listing(word, self._cached(word)), (), None)

    def page(self, word: HubWord) -> str:
        """Where people read about the repository."""
        return f"{self._settings.endpoint}/{word.repo}"

    def path(self, model: HubModel, file: str) -> Path:
        """One file of the model, fetched into the cache if it is not there yet.

        Raises:
            InputError: it cannot be had.
        """
        cache, commit = RepoCache(self._settings.cache, model.word.repo), model.listing.commit
        path = cache.snapshot(commit, file)
        stated = model.listing.sums.get(file)
        if path.exists():
            if not self._settings.offline:
                with suppress(OSError):  # a cache may be read-only
                    cache.set_commit(model.word.revision, commit)
            return path
        if self._settings.offline:
            raise self._not_here(replace(model.word, file=file, quantization=None))
        cache.prepare()
        if stated and cache.blob(stated).exists():
            cache.link(stated, commit, file)
        else:
            remote = self._api.file(model.word, model.listing, file)
            blob = cache.blob(remote.etag)
            if not blob.exists():
                job = self._job(model, file, remote, blob, cache.lock(remote.etag))
                prefix = blob.with_name(f"{blob.name}.incomplete")
                self._fetch(replace(job, prefix=prefix), model, file)
            cache.link(remote.etag, commit, file)
        cache.set_commit(model.word.revision, commit)
        return path

    def here(self, model: HubModel, file: str) -> bool:
        """Whether the cache has a file of the model."""
        cache = RepoCache(self._settings.cache, model.word.repo)
        return self._settings.offline or cache.snapshot(model.listing.commit, file).exists()

    def bring(self, model: HubModel, file: str, target: Path, *, force: bool = False) -> None:
        """Fetch a file to a place outside the cache; `force` replaces what is there.

        Raises:
            InputError: it cannot be had.
        """
        remote = self._api.file(model.word, model.listing, file)
        partial = target.with_name(f".{target.name}.llamapack.incomplete")
        # Not beside the file: nobody would know when to remove it.
        lock = self._settings.cache / ".locks" / "llamapack" / f"{remote.etag}.lock"
        job = self._job(model, file, remote, target, lock)
        self._fetch(replace(job, partial=partial, replace=force), model, file)

    def _fetch(self, job: Job, model: HubModel, file: str) -> None:
        try:
            begin, check = self._begin(f"fetching {file}"), self._begin(f"checking {file}")
            fetch(job, self._client, begin=begin, check=check)
        except Refused as refusal:
            if (job.size or 0) <= _XET:
                raise
            raise InputError(
                refusal.message,
                "The Hub gives files over 50 GB to Xet clients only: "
                f"`hf download {model.word.repo} {file}`, then run this again.",
            ) from None

    def _job(self, model: HubModel, file: str, remote: RemoteFile, target: Path, lock: Path) -> Job:
        return Job(
            url=self._api.url(model.word, model.listing.commit, file),
            label=f"hf:{model.word.repo}/{file}",
            target=target,
            partial=target.with_name(f"{target.name}.llamapack.incomplete"),
            lock=lock,
            size=remote.size,
            checksum=remote.checksum,
        )

    def _listing(self, word: HubWord, here: Listing | None) -> Listing:
        """What the Hub lists; without network, or where it cannot be reached, what is `here`."""
        if self._settings.offline:
            if here is None:
                raise self._not_here(word)
            return here
        try:
            return self._api.listing(word, tries=2 if here else None)
        except (Unreachable, Refused) as problem:
            away = isinstance(problem, Unreachable) or problem.status >= 500
            if here is None or not away:
                raise
            self._note(f"{problem.message}; taking {word} from {self._settings.cache}")
            return here

    def _cached(self, word: HubWord) -> Listing | None:
        cache = RepoCache(self._settings.cache, word.repo)
        commit = cache.commit(word.revision)
        return Listing(commit, tuple(cache.files(commit)), {}) if commit else None

    def _model(self, word: HubWord, listing: Listing, files: Sequence[str]) -> HubModel:
        return HubModel(word, listing, tuple(files), best_projector(listing.files, files[0]))

    def _not_here(self, word: HubWord) -> InputError:
        return InputError(
            f"{word} is not in {self._settings.cache} as a whole, and the network is not to be "
            "used",
            "Fetch it once without `--offline` and HF_HUB_OFFLINE.",
        )

    def _no_file(self, word: HubWord, listing: Listing) -> InputError:
        names = [file for file in listing.files if file.endswith(".gguf")]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        if word.file in listing.files or (
            not word.file and best_model(listing.files, word.quantization)
        ):
            return InputError(f"{word}: the repository has not all shards of it", "Ask its author.")
        message = f"{word}: there is no such GGUF in the repository"
        if names:
            return InputError(message, f"It has {shown}.")
        return NoGguf(
            message, "It has none at all; look for one with `GGUF` in its name.", listing.files
        )


def _wanted(word: HubWord, listing: Listing) -> list[str] | None:
    """The files of the model that is asked for; None if not all are listed."""
    first = word.file or best_model(listing.files, word.quantization)
    if first is None or first not in listing.files or missing_shards(listing.files, first):
        return None
    return shards(listing.files, first)
