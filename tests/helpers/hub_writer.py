"""A stand-in for the part of the Hub's API that repositories are written through: create, branch,
preupload, LFS batch (one request, or several per file), and commit."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit

from helpers.cards import metadata_errors
from helpers.hub_server import git_sha1
from helpers.web_server import Answer, Page, Request, WebServer

TOKEN = "hf_writes"
READ_TOKEN = "hf_reads"


@dataclass
class Branch:
    commit: str
    files: dict[str, bytes]


@dataclass
class WrittenRepo:
    private: bool = False
    branches: dict[str, Branch] = field(default_factory=lambda: {"main": Branch("0" * 40, {})})

    @property
    def files(self) -> dict[str, bytes]:
        return self.branches["main"].files


class Storage(WebServer):
    """Where contents go; another host, as the Hub's is."""

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.objects: dict[str, bytes] = {}
        """By SHA-256."""
        self.chunks: dict[tuple[str, int], bytes] = {}
        """Of files that are sent in several requests, by SHA-256 and number from 1."""
        self.received = 0
        """Bytes of contents, in all requests that came through."""
        self.break_after: int | None = None
        """Contents after which connections break."""

    def body(self, handler: BaseHTTPRequestHandler, length: int) -> bytes | None:
        if self.break_after is not None and handler.command == "PUT":
            if self.break_after == 0:
                handler.rfile.read(length // 2)
                return None
            self.break_after -= 1
        return super().body(handler, length)

    def page(self, request: Request) -> Page | Answer:
        kind, oid, *number = urlsplit(request.path).path.strip("/").split("/")
        if request.method == "GET" and oid in self.objects:
            return Page(self.objects[oid], etag=f'"{oid}"')
        if request.method != "PUT":
            return Answer(404)
        self.received += len(request.body)
        if kind == "chunk":
            self.chunks[oid, int(number[0])] = request.body
            return Answer(200, {"ETag": f'"{oid}-{number[0]}"'})
        if hashlib.sha256(request.body).hexdigest() != oid:
            return Answer(400)
        self.objects[oid] = request.body
        return Answer(200)


class HubWriter(WebServer):
    """Repositories that can be written with one token, and read without."""

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self.storage = storage
        self.repos: dict[str, WrittenRepo] = {}
        self.commits: list[dict[str, Any]] = []
        """Headers of all commits."""
        self.lfs_from = 1000
        """Bytes from which on a text goes to LFS; what is no text always does."""
        self.chunk_size: int | None = None
        """Bytes of one request; None: a file is one request."""
        self.warnings: list[str] = []
        """Said of every card."""
        self.refusals: dict[str, Answer] = {}
        """What to answer to requests whose path holds the key."""

    def page(self, request: Request) -> Page | Answer:  # noqa: PLR0911
        for part, answer in self.refusals.items():
            if part in request.path:
                return answer
        parts = [unquote(part) for part in urlsplit(request.path).path.strip("/").split("/")]
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in ("", TOKEN, READ_TOKEN):
            return Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
        if request.method in ("GET", "HEAD"):
            return self._read(parts, token)
        if parts == ["api", "validate-yaml"]:
            return self._validate(json.loads(request.body))
        if parts == ["api", "complete_multipart"]:  # the address is the permission
            return self._complete(json.loads(request.body))
        if token != TOKEN:
            said = "You don't have the rights to write here" if token else "Unauthorized"
            return _json(403 if token else 401, {"error": said}, {"X-Error-Message": said})
        return self._write(parts, request)

    def _read(self, parts: list[str], token: str) -> Page | Answer:
        api = parts[:2] == ["api", "models"]
        name, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4:] if api else parts[2:]
        repo = self.repos.get(name)
        if repo is None or (repo.private and not token):
            return Answer(404 if token else 401, {"X-Error-Code": "RepoNotFound"})
        branch = repo.branches.get(rest[1] if len(rest) > 1 else "main")
        if branch is None:
            return Answer(404, {"X-Error-Code": "RevisionNotFound"})
        if api:
            return _json(200, self._listing(name, repo, branch))
        data = branch.files.get("/".join(rest[2:]))
        if data is None:
            return Answer(404, {"X-Error-Code": "EntryNotFound"})
        oid = hashlib.sha256(data).hexdigest()
        if oid not in self.storage.objects:
            return Page(data, etag=f'"{git_sha1(data)}"')
        return Answer(302, {"Location": f"{self.storage.url}/object/{oid}"})

    def _listing(self, name: str, repo: WrittenRepo, branch: Branch) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for path, data in sorted(branch.files.items()):
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git_sha1(data)}
            if self._is_lfs(data):
                oid = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": oid, "size": len(data), "pointerSize": 130}
                entry["blobId"] = git_sha1(b"version https://git-lfs.github.com/spec/v1 " + data)
            siblings.append(entry)
        return {
            "_id": name,
            "id": name,
            "modelId": name,
            "private": repo.private,
            "sha": branch.commit,
            "siblings": siblings,
            "tags": [],
        }

    def _is_lfs(self, data: bytes) -> bool:
        return b"\0" in data[:512] or len(data) >= self.lfs_from

    def _validate(self, asked: dict[str, Any]) -> Answer:
        errors = [{"message": error} for error in metadata_errors(asked["content"])]
        warnings = [{"message": warning} for warning in self.warnings]
        return _json(400 if errors else 200, {"errors": errors, "warnings": warnings})

    def _write(self, parts: list[str], request: Request) -> Answer:  # noqa: PLR0911
        if parts == ["api", "repos", "create"]:
            return self._create(json.loads(request.body))
        if parts[1].endswith(".git"):
            return self._batch(json.loads(request.body))
        name, what = "/".join(parts[2:4]), parts[4]
        if name not in self.repos:
            return Answer(404, {"X-Error-Code": "RepoNotFound"})
        branches = self.repos[name].branches
        if what == "branch":
            branches[parts[5]] = Branch(branches["main"].commit, dict(branches["main"].files))
            return _json(201, {})
        if parts[5] not in branches:
            return Answer(404, {"X-Error-Code": "RevisionNotFound"})
        if what == "preupload":
            return self._preupload(json.loads(request.body))
        lines = [json.loads(line) for line in request.body.splitlines()]
        return self._commit(name, branches[parts[5]], lines)

    def _create(self, asked: dict[str, Any]) -> Answer:
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repos:
            return _json(409, {"error": "You already created this model repo"})
        private = asked.get("private") or asked.get("visibility") == "private"
        self.repos[name] = WrittenRepo(bool(private))
        return _json(200, {"url": f"{self.url}/{name}", "name": name, "id": name})

    def _preupload(self, asked: dict[str, Any]) -> Answer:
        files = []
        for file in asked["files"]:
            sample = base64.b64decode(file["sample"])
            lfs = b"\0" in sample or file["size"] >= self.lfs_from
            mode = "lfs" if lfs else "regular"
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False})
        return _json(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> Answer:
        objects = []
        for wanted in asked["objects"]:
            oid, size = wanted["oid"], wanted["size"]
            entry: dict[str, Any] = {"oid": oid, "size": size}
            if oid not in self.storage.objects:
                entry["actions"] = {"upload": self._upload(oid, size)}
            objects.append(entry)
        return _json(200, {"objects": objects, "transfer": "multipart" if self.chunk_size else ""})

    def _upload(self, oid: str, size: int) -> dict[str, Any]:
        if not self.chunk_size:
            return {"href": f"{self.storage.url}/object/{oid}"}
        header = {"chunk_size": str(self.chunk_size)}
        for number in range(1, math.ceil(size / self.chunk_size) + 1):
            header[str(number)] = f"{self.storage.url}/chunk/{oid}/{number}"
        return {"href": f"{self.url}/api/complete_multipart", "header": header}

    def _complete(self, asked: dict[str, Any]) -> Answer:
        oid = asked["oid"]
        chunks = self.storage.chunks
        if [part["etag"] for part in asked["parts"]] != [
            f'"{oid}-{part["partNumber"]}"' for part in asked["parts"]
        ]:
            return Answer(400)
        data = b"".join(chunks[oid, part["partNumber"]] for part in asked["parts"])
        if hashlib.sha256(data).hexdigest() != oid:
            return Answer(400)
        self.storage.objects[oid] = data
        return _json(200, {})

    def _commit(self, name: str, branch: Branch, lines: list[dict[str, Any]]) -> Answer:
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, branch.commit):
            return _json(412, {"error": "A commit has happened since."})
        files = dict(branch.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.storage.objects:
                    return _json(400, {"error": f"{value['path']} was not uploaded"})
                files[value["path"]] = self.storage.objects[value["oid"]]
            else:
                del files[value["path"]]
        branch.files = files
        branch.commit = hashlib.sha1(
            repr(sorted(files)).encode() + branch.commit.encode()
        ).hexdigest()
        self.commits.append(header)
        url = f"{self.url}/{name}/commit/{branch.commit}"
        return _json(200, {"commitUrl": url, "commitOid": branch.commit, "pullRequestUrl": None})


def _json(status: int, value: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode()
    )
