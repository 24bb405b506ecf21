"""What the Hub does not have, and what it must not be believed."""

from __future__ import annotations

import json
import subprocess
import zlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from helpers.hub_server import COMMIT, HubServer, Repo
from helpers.stand_ins import CommandLine, Refused
from helpers.web_server import Page, WebServer
from hub_commands import Run

from runtime.errors import InputError
from runtime.hub.hub import Hub
from runtime.hub.settings import settings
from runtime.hub.words import HubWord, parsed


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hf:org/none", "there is no model org/none"),
        ("hf:org/see-GGUF@v9", "has no revision v9"),
        ("hf:org/see-GGUF:Q5_K_M", "no such GGUF"),
        ("hf:org/see-GGUF/none.gguf", "no such GGUF"),
    ],
)
def test_what_is_not_there(
    word: str, message: str, model: Repo, run: Run, refused: Refused
) -> None:
    done = run("fetch", word)
    assert message in refused(done)
    if "GGUF" in message:
        assert "see-Q2_K.gguf" in done.stderr


def test_another_commit_than_asked_for(model: Repo, web: WebServer) -> None:
    answer = {"id": "org/see-GGUF", "sha": COMMIT, "siblings": [{"rfilename": "m-Q8_0.gguf"}]}
    other = "f" * 40
    web.pages[f"/api/models/org/see-GGUF/revision/{other}"] = Page(json.dumps(answer).encode())
    with pytest.raises(InputError, match="does not answer as the Hub"):
        Hub(settings({"HF_ENDPOINT": web.url})).model(HubWord("org/see-GGUF", revision=other))


def test_missing_shards(model: Repo, run: Run, refused: Refused) -> None:
    del model.files["Q8_0/see-Q8_0-00002-of-00002.gguf"]
    assert "does not have all of its shards" in refused(run("fetch", "hf:org/see-GGUF:Q8_0"))


def test_the_hub_lies(model: Repo, run: Run, refused: Refused) -> None:
    model.etags["see-Q4_K_M.gguf"] = "0" * 64
    assert "is damaged: its SHA-256" in refused(run("fetch", "hf:org/see-GGUF"))
    model.sizes["see-Q2_K.gguf"] = 5
    assert "offers" in refused(run("fetch", "hf:org/see-GGUF:Q2_K"))


def test_paths_that_leave_the_folder(
    model: Repo, run: Run, refused: Refused, tmp_path: Path
) -> None:
    model.files = {"../../../../../evil-Q4_K_M.gguf": b"x", "a\\..\\evil.gguf": b"x"}
    assert "no such GGUF" in refused(run("fetch", "hf:org/see-GGUF"))
    assert not list(tmp_path.rglob("evil*"))


def test_an_endpoint_that_is_no_hub(run: Run, refused: Refused, web: WebServer) -> None:
    web.pages["/api/models/org/see-GGUF/revision/main"] = Page(b"<html>")
    assert "does not answer as the Hub" in refused(
        run("fetch", "hf:org/see-GGUF", HF_ENDPOINT=web.url)
    )


def test_json_of_the_listing_is_not_trusted(run: Run, refused: Refused, web: WebServer) -> None:
    for found in ([], {"sha": 5}, {"sha": "../x", "siblings": []}, {"sha": COMMIT, "siblings": 3}):
        page = Page(json.dumps(found).encode())
        web.pages["/api/models/org/see-GGUF/revision/main"] = page
        assert "does not answer" in refused(run("fetch", "hf:org/see-GGUF", HF_ENDPOINT=web.url))


@pytest.mark.parametrize(
    "found",
    [
        {"siblings": [{"rfilename": {}}]},
        {"siblings": [{"rfilename": 5}]},
        {"siblings": [{}]},
        {"siblings": ["x"]},
        {"siblings": {"rfilename": "x"}},
        {"siblings": None},
        {"siblings": [{"rfilename": "m.gguf", "lfs": "x"}]},
        {
            "siblings": [
                {"rfilename": "m.gguf", "lfs": {"sha256": {}, "size": [], "pointerSize": 1}}
            ]
        },
        {"siblings": [{"rfilename": "m.gguf", "size": "large", "blobId": 5}]},
        {"siblings": [{"rfilename": "m.gguf", "size": -1, "blobId": "../../../x"}]},
        {"siblings": [], "sha": {}},
        {"siblings": [], "sha": "F" * 40},
        {"siblings": [], "gated": {"x": 1}, "lastModified": 5},
        {"siblings": [], "cardData": 5, "tags": 5},
        {"siblings": [], "id": None},
        "x",
        None,
    ],
    ids=lambda found: str(found)[:60],
)
def test_values_of_other_types(found: object, web: WebServer, tmp_path: Path) -> None:
    answer = {"id": "org/see-GGUF", "sha": COMMIT, **found} if isinstance(found, dict) else found
    web.pages["/api/models/org/see-GGUF/revision/main"] = Page(json.dumps(answer).encode())
    hub = Hub(settings({"HF_ENDPOINT": web.url, "HF_HOME": str(tmp_path)}))
    with pytest.raises(InputError):
        hub.fetched(hub.model(HubWord("org/see-GGUF", "m.gguf")))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"\xff\xfe",
        b"",
        b"1e999",
        b"NaN",
        b"[%s]" % (b"[]," * (16 << 20)),
    ],
    ids=range(7),
)
def test_json_that_breaks_parsers(body: bytes, web: WebServer) -> None:
    web.pages["/api/models/org/see-GGUF/revision/main"] = Page(body)
    with pytest.raises(InputError, match="does not answer as the Hub"):
        Hub(settings({"HF_ENDPOINT": web.url})).model(HubWord("org/see-GGUF"))


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_without_end(
    compressed: bool, llamapack: CommandLine, refused: Refused, web: WebServer
) -> None:
    """4 GB of blanks, as they are and as 4 MB of gzip: no more than the limit is kept."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        if compressed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        packer = zlib.compressobj(9, wbits=31)
        try:
            for _ in range(4096):
                data = packer.compress(bytes(1 << 20)) if compressed else b" " * (1 << 20)
                if data:
                    handler.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")
        except OSError:
            pass
        handler.close_connection = True

    web.handle = handle  # type: ignore[method-assign]
    limited = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (800 << 20,) * 2)\n"
    done = subprocess.run(
        llamapack.command("fetch", "hf:org/see-GGUF", first=limited),
        env={**llamapack.environment, "HF_ENDPOINT": web.url, "HF_TOKEN": ""},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "does not answer as the Hub" in refused(done)


@pytest.mark.parametrize("file", ["README.md", "LICENSE", "NOTICE.txt", "generation_config.json"])
def test_documents_are_not_fetched_when_they_are_large(
    file: str, model: Repo, run: Run, refused: Refused, hub: HubServer
) -> None:
    model.files[file] = b"x" * ((1 << 20) + 1)
    assert f"{file} has more than 1 MiB" in refused(run("pack", "hf:org/see-GGUF", "-q"))
    assert not [request for request in hub.log if request.path.endswith(f"/{file}")]


def test_a_document_that_is_larger_than_listed(
    model: Repo, run: Run, refused: Refused, hub: HubServer
) -> None:
    model.files["README.md"], model.sizes["README.md"] = b"x" * (2 << 20), 7
    assert "offers 2,097,152 bytes" in refused(run("pack", "hf:org/see-GGUF", "-q"))


@pytest.mark.parametrize(
    "name",
    [
        "C:evil-Q4_K_M.gguf",
        "a/C:evil-Q4_K_M.gguf",
        "c:/evil-Q4_K_M.gguf",
        "/evil-Q4_K_M.gguf",
        "//host/share/evil-Q4_K_M.gguf",
        "\\\\host\\share\\evil-Q4_K_M.gguf",
        "a//evil-Q4_K_M.gguf",
        "./evil-Q4_K_M.gguf",
        "a/../../evil-Q4_K_M.gguf",
        "evil\x1b[2J-Q4_K_M.gguf",
        "evil\n-Q4_K_M.gguf",
        "evil\x00-Q4_K_M.gguf",
    ],
)
def test_names_that_are_paths_elsewhere(name: str, model: Repo, hub: HubServer) -> None:
    """On any system: a cache may be copied."""
    model.files = {name: model.files["see-Q4_K_M.gguf"]}
    with pytest.raises(InputError, match="no such GGUF"):
        Hub(settings({"HF_ENDPOINT": hub.url})).model(HubWord("org/see-GGUF"))


@pytest.mark.parametrize("name", ["C:evil.gguf", "C%3Aevil.gguf", "..%5Cevil.gguf", "a%00b.gguf"])
def test_addresses_that_end_in_a_path_elsewhere(name: str) -> None:
    with pytest.raises(InputError, match="does not end in the name of a file"):
        parsed(f"https://host.example/{name}", "https://hub.example")


def test_a_blob_is_not_named_by_a_header(
    model: Repo, run: Run, hub: HubServer, tmp_path: Path, refused: Refused
) -> None:
    model.etags["see-Q4_K_M.gguf"] = "../../../../evil"
    done = run("fetch", "hf:org/see-GGUF")
    assert "the Hub contradicts itself" in refused(done)
    assert not list(tmp_path.rglob("*evil*"))
