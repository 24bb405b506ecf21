"""The files for the repository, compared with the files in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packer.metadata.card import licence_texts
from packer.parts.layout import LaidFile, Layout
from runtime.errors import InputError
from runtime.formats import parts, sha256_file
from runtime.formats.bundle import Bundle
from runtime.hub.words import HubWord

CARD = "README.md"


@dataclass(frozen=True)
class RemoteFile:
    """One file in a repository."""

    size: int | None  # bytes
    sha256: str | None  # of files in LFS or Xet; 64 hex digits
    blob: str | None  # git's name of the content; of files in LFS that of their pointer


@dataclass(frozen=True)
class Remote:
    """A repository as it is."""

    exists: bool = False
    private: bool = False
    branch: bool = False  # whether the revision exists
    commit: str | None = None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    """By path; where the branch does not exist, those that it would begin with."""


@dataclass(frozen=True)
class Publication:
    """What a publication does."""

    files: Sequence[Upload]  # everything that is to be in the repository
    missing: Sequence[Upload]  # to be sent
    stale: Sequence[str]  # names of files that are to be deleted


@dataclass(frozen=True)
class Upload:
    """One file for the repository."""

    name: str
    size: int  # bytes
    sha256: str  # 64 lower-case hex digits
    source: LaidFile | bytes

    @classmethod
    def of_bytes(cls, name: str, data: bytes) -> Upload:
        return cls(name, len(data), hashlib.sha256(data).hexdigest(), data)

    @property
    def is_cut(self) -> bool:
        """Whether it is a part that was never written: it is read out of the whole file."""
        return isinstance(self.source, LaidFile) and not self.source.is_whole

    def is_there(self, remote: Remote) -> bool:
        """Whether the repository already has it, byte for byte."""
        there = remote.files.get(self.name)
        if there is None or there.size != self.size:
            return False
        if there.sha256 is not None:
            return there.sha256 == self.sha256
        return isinstance(self.source, bytes) and there.blob == _git_blob(self.source)


def uploads(layout: Layout, bundle: Bundle, sums: Mapping[str, str], card: bytes) -> list[Upload]:
    """Everything that is published: bundle or parts, their list of hashes, licences, card."""
    listed = sha256_file.write({file.name: sums[file.name] for file in layout.all})
    return [
        *(Upload(file.name, file.size, sums[file.name], file) for file in layout.all),
        Upload.of_bytes(f"{layout.whole.name}.sha256", listed.encode(errors="surrogateescape")),
        *(
            Upload.of_bytes(name, bundle.read(member))
            for name, member in licence_texts(bundle).items()
        ),
        Upload.of_bytes(CARD, card),
    ]


def stale(layout: Layout, remote: Remote) -> list[str]:
    """Files of an earlier form of this bundle in the repository: surplus parts, or the whole file
    if there are parts now. `cat` and readers would include them."""
    wanted = {file.name for file in layout.all}
    name = parts.of_whole(layout.whole)
    return sorted(
        there
        for there in remote.files
        if there not in wanted and (there == layout.whole.name or name.is_sibling(there))
    )


def plan(files: Sequence[Upload], layout: Layout, remote: Remote) -> Publication:
    """What has to be sent and deleted so that the repository contains `files`."""
    missing = [file for file in files if not file.is_there(remote)]
    return Publication(files, missing, stale(layout, remote))


def refuse_replacing(
    repo: HubWord, remote: Remote, changed: Iterable[str], gone: Iterable[str]
) -> None:
    """Raises InputError naming files of the repository that would be replaced or deleted."""
    what = [f"{name} is another file there" for name in changed if name in remote.files]
    what += [f"{name} of an earlier publication would be deleted" for name in gone]
    if what:
        raise InputError(
            f"{repo.repo} at {repo.revision}: {'; '.join(what)}",
            "Add `--force` to replace them (the repository's history keeps them), or choose "
            "another `--revision`.",
        )


def refuse_other_sizes(repo: HubWord, layout: Layout, remote: Remote) -> None:
    """The same for what can be told before gigabytes are hashed."""
    changed = [
        file.name
        for file in layout.all
        if remote.files.get(file.name, RemoteFile(file.size, None, None)).size != file.size
    ]
    refuse_replacing(repo, remote, changed, stale(layout, remote))


def _git_blob(data: bytes) -> str:
    """The name that git gives to this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
