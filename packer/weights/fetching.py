"""What `llamapack fetch` does: names to files in a folder or in the Hub's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packer.io.console import progress
from packer.io.output import output_file
from packer.weights.locate import Locator
from runtime.errors import InputError
from runtime.hub.words import HubWord, WebWord, parsed


@dataclass(frozen=True)
class FetchRequest:
    """What `fetch` was asked for."""

    sources: Sequence[str]
    mmproj: bool
    """Whether the projector comes too."""
    offline: bool
    force: bool
    quiet: bool


def fetched(request: FetchRequest, folder: Path | None) -> Iterator[Path]:
    """Bring all `sources` of the arguments here; the paths of the files, as they come.

    Args:
        folder: where they go; None: those of the Hub into its cache, others into the current one.

    Raises:
        InputError: one of them cannot be had, or would replace something.
    """
    with Locator(offline=request.offline, quiet=request.quiet) as locator:
        words = [(text, parsed(text, locator.settings.endpoint)) for text in request.sources]
        for text, word in words:
            if word is None:
                raise InputError(
                    f"{text} is not a source to download from",
                    "Write `hf:ORG/REPO` or `https://HOST/FILE.gguf`.",
                )
        for _, word in words:
            if isinstance(word, HubWord):
                yield from _from_hub(locator, word, request, folder)
            elif isinstance(word, WebWord):
                yield from _from_web(locator, word, request, folder)


def _from_hub(
    locator: Locator, word: HubWord, request: FetchRequest, folder: Path | None
) -> Iterator[Path]:
    hub = locator.hub()
    model = hub.model(word)
    if folder is None:
        model = hub.fetched(model)
    files = list(model.files)
    if request.mmproj and model.projector and model.projector not in files:
        files.append(model.projector)
    for file in files:
        if folder is None:
            path = hub.path(model, file)
        else:
            path = folder / PurePosixPath(file).name
            _check(path, request.force)
            if hub.here(model, file):
                _copy(hub.path(model, file), path, force=request.force)
            else:
                # Not through the cache: a second copy may be more than the disk has.
                hub.bring(model, file, path, force=request.force)
        locator.finish()
        yield path


def _from_web(
    locator: Locator, word: WebWord, request: FetchRequest, folder: Path | None
) -> Iterator[Path]:
    path = (folder or Path()) / word.name
    _check(path, request.force)
    locator.web().bring(word, path, force=request.force)
    locator.finish()
    yield path


def _check(target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise InputError(f"{target} exists already", "Add `--force` to replace it, or choose `-o`.")


def _copy(path: Path, target: Path, *, force: bool) -> None:
    """A file of the cache in a folder of the user's: sharing its blocks where possible, and never
    the file itself, since what a user changes in it must not change in the cache."""
    from packer.io.copy import copy
    from packer.io.sources import FileSource

    source = FileSource.of(path)
    with (
        source.open() as file,
        output_file(target, force=force, needed=source.size, mode=0o644) as destination,
        progress(f"copying {target.name}", source.size) as advance,
    ):
        copy(file, source.size, str(path), destination, advance=advance, sparse=source.sparse)
