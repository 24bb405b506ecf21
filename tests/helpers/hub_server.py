"""A stand-in for the Hub's API: what `huggingface_hub` and we ask it, as the real one answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from helpers.web_server import Answer, Page, Request, WebServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Repo:
    """A model."""

    files: dict[str, bytes]
    commit: str = COMMIT
    token: str | None = None
    """The only one that may read it; None: all may."""
    gated: bool = False
    etags: dict[str, str] = field(default_factory=dict)
    """Lies about hashes."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Lies about sizes."""


class HubServer(WebServer):
    """Repositories; contents of LFS files (`.gguf`) are on another server, as the Hub's are."""

    def __init__(self, contents: WebServer) -> None:
        super().__init__()
        self.repos: dict[str, Repo] = {}
        self.contents = contents
        self.contents_page = Page(b"")
        """How contents are served (`data` aside)."""
        self.failures: list[Answer] = []
        """Given first, whatever is asked."""
        self.always: Answer | None = None
        """Given whatever is asked."""

    def page(self, request: Request) -> Page | Answer:
        if self.always:
            return self.always
        if self.failures:
            return self.failures.pop(0)
        parts = [unquote(part) for part in urlsplit(request.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            name, rest = "/".join(parts[2:4]), parts[4:]
        else:
            name, rest = "/".join(parts[:2]), parts[2:]
        repo = self.repos.get(name)
        refusal = _refusal(repo, request)
        if refusal or repo is None:
            return refusal or Answer(404)
        revision = rest[1] if len(rest) > 1 else "main"
        if revision not in ("main", repo.commit, "v1/x"):
            return Answer(404, {"X-Error-Code": "RevisionNotFound"})
        if parts[0] == "api":
            return _asked(name, repo, rest)
        return self._file(repo, "/".join(rest[2:]), request)

    def _file(self, repo: Repo, file: str, request: Request) -> Page | Answer:
        commit = {"X-Repo-Commit": repo.commit}
        if file not in repo.files:
            return Answer(404, {"X-Error-Code": "EntryNotFound", **commit})
        data = repo.files[file]
        if not file.endswith(".gguf"):
            return Page(data, etag=f'"{git_sha1(data)}"', headers=commit)
        sha256 = hashlib.sha256(data).hexdigest()
        place = f"/contents/{sha256}"
        self.contents.pages.setdefault(place, Page(**{**vars(self.contents_page), "data": data}))
        return Answer(
            302,
            {
                "Location": f"{self.contents.url}{place}?Signature=SIGNED",
                "X-Linked-Etag": f'"{repo.etags.get(file, sha256)}"',
                "X-Linked-Size": str(repo.sizes.get(file, len(data))),
                "Accept-Ranges": "bytes",
                **commit,
            },
        )


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _refusal(repo: Repo | None, request: Request) -> Answer | None:  # noqa: PLR0911
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if repo is None:
        if token:
            return Answer(404, {"X-Error-Code": "RepoNotFound"})
        return Answer(401, {"X-Error-Code": "RepoNotFound"})
    if repo.token is None or token == repo.token:
        return None
    if token == "unknown":
        return Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
    if not repo.gated:
        return Answer(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
    # The list of a gated model's files is public; its files are not.
    if request.path.startswith("/api/"):
        return None
    return Answer(403 if token else 401, {"X-Error-Code": "GatedRepo"})


def _asked(name: str, repo: Repo, rest: list[str]) -> Answer:
    if rest == ["refs"]:
        return _branches(repo)
    return _tree(repo) if rest[:1] == ["tree"] else _listing(name, repo)


def _branches(repo: Repo) -> Answer:
    """What llama.cpp asks for, and the next."""
    found = {"branches": [{"name": "main", "targetCommit": repo.commit}]}
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())


def _tree(repo: Repo) -> Answer:
    entries: list[dict[str, object]] = []
    for file, data in sorted(repo.files.items()):
        entry: dict[str, object] = {"type": "file", "path": file, "oid": git_sha1(data)}
        if file.endswith(".gguf"):
            sha256 = repo.etags.get(file, hashlib.sha256(data).hexdigest())
            entry["lfs"] = {"oid": sha256, "size": len(data)}
        entries.append(entry)
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(entries).encode())


def _listing(name: str, repo: Repo) -> Answer:
    siblings: list[dict[str, object]] = []
    for file, data in sorted(repo.files.items()):
        size = repo.sizes.get(file, len(data))
        entry: dict[str, object] = {"rfilename": file, "size": size, "blobId": git_sha1(data)}
        if file.endswith(".gguf"):
            sha256 = repo.etags.get(file, hashlib.sha256(data).hexdigest())
            entry["lfs"] = {"sha256": sha256, "size": size, "pointerSize": 130}
        siblings.append(entry)
    found = {"id": name, "sha": repo.commit, "siblings": siblings, "gated": repo.gated}
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())
