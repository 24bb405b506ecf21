"""Downloads weights from the Hub into the cache that `huggingface_hub` and llama.cpp share with us.

The library lists repositories, and downloads files that only Xet serves. Other files come by our
own download: the library (2.4) begins again after an interruption, and does not compare hashes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.errors import InputError
from runtime.hub.answers import Bearer, Patience, Report, Unserved
from runtime.hub.choice import best_model, best_projector, checkpoint_files, missing_shards, shards
from runtime.hub.hub_api import COMMIT, HubApi, RepoFile, RepoListing
from runtime.hub.hub_cache import RepoCache
from runtime.hub.settings import HubSettings
from runtime.hub.transfer import Job, damage, fetch, publish
from runtime.hub.words import HubWord
from runtime.locks import locked

_XET = 50_000_000_000  # bytes; above, plain HTTP is refused
_ASKING = Patience(tries=3, limit=30.0)
_BRIEF = Patience(tries=2, limit=1.0)  # if the cache has an older copy


class NoGguf(InputError):
    """A repository has no GGUF at all."""

    def __init__(self, message: str, tip: str, files: Sequence[str]) -> None:
        super().__init__(message, tip)
        self.files = files
        """The GGUF files that it has."""


Choose = Callable[[HubWord, RepoListing], Sequence[str] | None]
"""The requested files, if all of them are listed; otherwise None."""


@dataclass(frozen=True)
class HubModel:
    """The files of a model in a repository."""

    word: HubWord
    listing: RepoListing
    files: tuple[str, ...]
    """First shard first."""
    projector: str | None
    """Of a vision model."""
    cached: HubModel | None = None
    """The same at the commit that the cache has, if the Hub has a newer one."""


class Hub:
    """The Hub as the environment describes it, with its cache."""

    def __init__(
        self, settings: HubSettings, report: Report | None = None, patience: Patience | None = None
    ) -> None:
        self._settings = settings
        self._report = report or Report()
        self._patience = patience or Patience()
        self._api = HubApi(settings)
        self._listings: dict[tuple[str, str], RepoListing] = {}

    def model(self, word: HubWord) -> HubModel:
        """The GGUF files that `word` means; from the cache if the Hub does not answer.

        Raises:
            NoGguf: the repository has none.
            InputError: it has no such file, or access is refused.
        """
        return self._find(word, _wanted)

    def checkpoint(self, word: HubWord) -> HubModel:
        """The files of a repository that a GGUF can be made from; errors as for `model`."""
        return self._find(word, lambda _, listing: checkpoint_files(listing.files))

    def one(self, word: HubWord, file: str) -> HubModel:
        """A file at the top of a repository, of whatever kind."""
        return self._find(word, lambda _, listing: [file] if file in listing.files else None)

    def _find(self, word: HubWord, choose: Choose) -> HubModel:
        here = self._cached(word)
        chosen = choose(word, here) if here else None
        old = _model(word, here, chosen) if here and chosen else None
        if old and word.file and COMMIT.fullmatch(word.revision):
            return replace(old, listing=replace(old.listing, asked=False))
        listing = self._listing(word, here if old else None)
        chosen = choose(word, listing)
        if chosen is None:
            raise _no_file(word, listing)
        return replace(_model(word, listing, chosen), cached=old)

    def repository(self, word: HubWord) -> HubModel:
        """A repository without a choice of files: `files` is empty."""
        return HubModel(word, self._listing(word, self._cached(word)), (), None)

    def page(self, word: HubWord) -> str:
        """Where people read about the repository."""
        return f"{self._settings.endpoint}/{word.repo}"

    def fetched(self, model: HubModel) -> HubModel:
        """The model with all its files in the cache, at an older commit if need be."""
        try:
            for file in model.files:
                self.path(model, file)
        except Unserved as problem:
            if model.cached is None:
                raise
            self._note_cached(model.word, problem)
            return model.cached
        return model

    def path(self, model: HubModel, file: str) -> Path:
        """One file of the model, downloaded into the cache if it is not there yet."""
        cache, commit = RepoCache(self._settings.cache, model.word.repo), model.listing.commit
        path = cache.snapshot(commit, file)
        if not path.exists():
            if self._settings.offline:
                raise self._not_here(replace(model.word, file=file, quantization=None))
            cache.prepare()
            etag, remote = self._described(model, file)
            blob = cache.blob(etag)
            if not blob.exists():
                self._fetch(model, file, remote, blob, cache.lock(etag))
            cache.link(etag, commit, file)
        if model.word.revision != commit and not self._settings.offline:
            with suppress(OSError):  # a cache may be read-only
                cache.set_commit(model.word.revision, commit)
        return path

    def here(self, model: HubModel, file: str) -> bool:
        """Whether the cache has a file of the model."""
        cache = RepoCache(self._settings.cache, model.word.repo)
        return self._settings.offline or cache.snapshot(model.listing.commit, file).exists()

    def bring(self, model: HubModel, file: str, target: Path, *, force: bool = False) -> None:
        """Download a file to a place outside the cache; `force` replaces an existing file."""
        etag, remote = self._described(model, file)
        # Not in the file's folder, where nothing would remove it.
        lock = self._settings.cache / ".locks" / "llamapack" / f"{etag}.lock"
        self._fetch(model, file, remote, target, lock, force=force)

    def _described(self, model: HubModel, file: str) -> tuple[str, RepoFile]:
        """The name of a file's blob, and the facts of the file."""
        remote = model.listing.files[file]
        if remote.checksum is None:
            remote = self._api.file(model.word, model.listing.commit, file)
            assert remote.checksum
        return remote.checksum.value, remote

    def _fetch(
        self, model: HubModel, file: str, remote: RepoFile, target: Path, lock: Path,
        *, force: bool = False,
    ) -> None:  # fmt: skip
        job = Job(
            url=self._api.url(model.word, model.listing.commit, file),
            label=f"hf:{model.word.repo}/{file}",
            name=file,
            target=target,
            partial=target.with_name(f".{target.name}.llamapack.incomplete"),
            lock=lock,
            auth=Bearer(self._settings.token),
            size=remote.size,
            checksum=remote.checksum,
            replace=force,
        )
        if (remote.size or 0) <= _XET and not self._settings.xet:
            try:
                fetch(job, self._report, _BRIEF if model.cached else self._patience)
                return
            except Unserved as problem:
                if problem.again or problem.status is None:
                    raise
        # Refused: the library says why, or gets it by Xet.
        job.target.parent.mkdir(parents=True, exist_ok=True)
        with (
            locked(job.lock),
            tempfile.TemporaryDirectory(
                prefix=f"{job.partial.name}.", dir=job.target.parent
            ) as folder,
        ):
            if job.target.exists() and not job.replace:
                return
            path = self._api.download(model.word, model.listing.commit, file, Path(folder))
            wrong = damage(job, path, self._report)
            if wrong:
                raise wrong
            publish(job, path)

    def _listing(self, word: HubWord, here: RepoListing | None) -> RepoListing:
        """The Hub's list; `here`, the list of the cache, if there is no answer."""
        if self._settings.offline:
            if here is None:
                raise self._not_here(word)
            return here
        key = (word.repo, word.revision)
        failed = 0
        while key not in self._listings:
            try:
                self._listings[key] = self._api.listing(word)
            except Unserved as problem:
                if here:
                    self._note_cached(word, problem)
                    return here
                failed += 1
                _ASKING.wait(failed, problem, self._report.note)
        return self._listings[key]

    def _note_cached(self, word: HubWord, problem: Unserved) -> None:
        self._report.note(f"{problem.message}; taking {word} from {self._settings.cache}")

    def _cached(self, word: HubWord) -> RepoListing | None:
        cache = RepoCache(self._settings.cache, word.repo)
        commit = cache.commit(word.revision)
        if not commit or not COMMIT.fullmatch(commit):
            return None
        return RepoListing(commit, dict.fromkeys(cache.files(commit), RepoFile(None, None)))

    def _not_here(self, word: HubWord) -> InputError:
        return InputError(
            f"{word} is not in {self._settings.cache} completely, and the network is off",
            "Download it once without `--offline` and HF_HUB_OFFLINE.",
        )


def _model(word: HubWord, listing: RepoListing, files: Sequence[str]) -> HubModel:
    return HubModel(word, listing, tuple(files), best_projector(listing.files, files[0]))


def _no_file(word: HubWord, listing: RepoListing) -> InputError:
    names = [file for file in listing.files if file.endswith(".gguf")]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if word.file in listing.files or (
        not word.file and best_model(list(listing.files), word.quantization)
    ):
        return InputError(
            f"{word}: the repository does not have all of its shards", "Ask its author."
        )
    message = f"{word}: the repository has no such GGUF"
    if names:
        return InputError(message, f"It has {shown}.")
    return NoGguf(
        message,
        "It has no GGUF at all. Look for a repository with `GGUF` in its name.",
        list(listing.files),
    )


def _wanted(word: HubWord, listing: RepoListing) -> list[str] | None:
    """The files of the requested model; None if not all are listed."""
    first = word.file or best_model(list(listing.files), word.quantization)
    if first is None or first not in listing.files or missing_shards(listing.files, first):
        return None
    return shards(listing.files, first)
