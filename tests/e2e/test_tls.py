"""HTTPS of a bundle, and what it fetches by it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import ssl
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import pytest
from helpers.browsers import ask, chromium
from helpers.certificates import authority, described, key_hash, signed
from helpers.hub_server import HubServer, Repo
from helpers.repository import DEMO
from helpers.running import (
    CLI,
    QUESTION,
    append_members,
    family,
    free_port,
    pack,
    refusal,
    run,
    until_gone,
)
from helpers.web_server import Page, WebServer
from openai import OpenAI
from vision import picture, write_projector
from wine import Wine


@dataclass
class Secure:
    """A server that speaks TLS."""

    url: str
    certificate: Path
    said: str = ""

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", verify=self.trust, timeout=60)

    def answer(self) -> str:
        http = httpx.Client(verify=self.trust)
        client = OpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=300, http_client=http)
        found = client.chat.completions.create(
            model="demo", messages=[{"role": "user", "content": QUESTION}], temperature=0
        )
        return str(found.choices[0].message.content or "")

    def is_healthy(self) -> bool:
        try:
            return self.get("/health").status_code == httpx.codes.OK
        except (OSError, httpx.HTTPError):
            return False

    def heard(self, file: IO[bytes]) -> bool:
        """Whether it has said where it is."""
        self.said = os.pread(file.fileno(), 1 << 20, 0).decode()
        return "\nserver" in f"\n{self.said}" and self.said.endswith("\n")


@contextmanager
def serving(
    bundle: Path, *words: str | Path, certificate: Path | None = None, **env: str
) -> Iterator[Secure]:
    """A bundle started with --server; without `certificate` also with `--https`."""
    port = free_port()
    own = [] if certificate else ["--https"]
    command = ["sh", bundle, "--server", "--nobrowser", "--port", str(port), *own, *words]
    with tempfile.TemporaryFile("w+b") as said:
        process = subprocess.Popen(
            [str(word) for word in command], env=os.environ | env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        try:
            server = Secure(f"https://localhost:{port}", certificate or Path())
            wait_for(lambda: server.heard(said) or process.poll() is not None)
            assert f"https://127.0.0.1:{port}" in server.said, server.said
            if certificate is None:
                found = re.search(r"^https: certificate (.+)$", server.said, re.M)
                assert found, server.said
                server.certificate = Path(found[1])
            wait_for(server.is_healthy)
            yield server
        finally:
            processes = family(process.pid) if process.poll() is None else []
            process.terminate()
            process.wait(30)
            until_gone(processes)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Hub(HubServer):
    authority: Path
    """Signed its certificate."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The Hub and its contents, with an authority of their own."""
    folder = tmp_path_factory.mktemp("certificates")
    own = authority(folder)
    pair = signed(folder, own)
    contents = WebServer()
    server = Hub(contents)
    for one in (contents, server):
        one.speak_tls(pair.certificate, pair.key)
    server.contents_page = Page(b"", headers={"Accept-Ranges": "bytes"})
    server.authority = own.certificate
    server.repos["acme/demo"] = Repo({"demo.Q8_0.gguf": DEMO.read_bytes(), "README.md": b"# x"})
    with contents.running(), server.running():
        yield server


def environment(hub: Hub, home: Path, trusted: Path | None = None) -> dict[str, str]:
    own = {"SSL_CERT_FILE": str(trusted or ""), "SSL_CERT_DIR": ""}  # not this machine's
    return own | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_TOKEN": "",
        "MODEL_ENDPOINT": "",
    }


def test_https_with_a_certificate_of_its_own(demo_bundle: Path, expected: bytes) -> None:
    with serving(demo_bundle) as server:
        curl = run(["curl", "-sS", "--cacert", server.certificate, f"{server.url}/health"])
        assert curl.stdout == b'{"status":"ok"}', curl.stderr
        text = described(server.certificate)
        (stated,) = re.findall(r"Fingerprint=(\S+)", text)
        assert f"SHA-256 is {stated}" in server.said
        for said in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"):
            assert said in text
        assert "CA:FALSE" in text
        key = server.certificate.with_name("key.pem")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
        answered = server.answer()
        assert answered.encode()[:40] in expected
        with chromium(
            f"--ignore-certificate-errors-spki-list={key_hash(server.certificate)}"
        ) as it:
            ask(it, server.url, answered)
        made = server.certificate.read_bytes()
    with serving(demo_bundle) as again:
        assert again.certificate.read_bytes() == made
    with serving(demo_bundle, "--host", "127.0.0.1,127.0.0.2") as other:
        assert other.certificate.read_bytes() != made
        assert "IP Address:127.0.0.2" in described(other.certificate)


def test_nothing_else_is_trusted_or_spoken(demo_bundle: Path) -> None:
    with serving(demo_bundle) as server:
        refused = run(["curl", "-sS", f"{server.url}/health"])
        assert refused.returncode == 60, refused.stderr  # of curl's manual: not authenticated
        port = server.url.rsplit(":", 1)[1]
        assert run(["curl", "-sS", f"http://localhost:{port}/health"]).returncode != 0
        old = run(["curl", "-sS", "--cacert", server.certificate, "--tls-max", "1.1", server.url])
        assert old.returncode != 0
        foreign = httpx.post(
            f"{server.url}/completion", json={"prompt": "a"}, verify=server.trust,
            headers={"Origin": "https://evil.example"},
        )  # fmt: skip
        assert foreign.status_code == httpx.codes.FORBIDDEN
        same = httpx.post(
            f"{server.url}/tokenize", json={"content": "a"}, verify=server.trust,
            headers={"Origin": server.url},
        )  # fmt: skip
        assert same.status_code == httpx.codes.OK


def test_a_pair_of_the_user(demo_bundle: Path, tmp_path: Path) -> None:
    own = authority(tmp_path)
    pair = signed(tmp_path, own)
    words = ("--ssl-key-file", pair.key, "--ssl-cert-file", pair.certificate)
    with serving(demo_bundle, *words, certificate=own.certificate) as server:
        assert server.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("key", "certificate", "cause"),
    [
        ("server.key", None, "--ssl-key-file needs --ssl-cert-file"),
        (None, "server.pem", "--ssl-cert-file needs --ssl-key-file"),
        ("authority.key", "server.pem", "is not the certificate of the key"),
        ("server.pem", "server.pem", "is not a PEM file with a private key"),
        ("server.key", "server.key", "is not a PEM file with a certificate"),
        ("nowhere", "server.pem", "nowhere: is not a PEM file"),
    ],
)
def test_pairs_that_are_none(
    demo_bundle: Path, tmp_path: Path, key: str | None, certificate: str | None, cause: str
) -> None:
    signed(tmp_path, authority(tmp_path))
    given = [("--ssl-key-file", key), ("--ssl-cert-file", certificate)]
    words = [word for name, file in given if file for word in (name, str(tmp_path / file))]
    error, _ = refusal(run(["sh", demo_bundle, "--server", *words]))
    assert cause in error


def test_several_models_behind_https(engines: object, tmp_path: Path) -> None:
    """The router speaks TLS, its processes do not."""
    other = shutil.copy(DEMO, tmp_path / "other.gguf")
    models = ("--model", f"one={DEMO}", "--model", f"two={other}")
    bundle = pack(*models, "--targets", "host", output=tmp_path / "two.llamafile")
    with serving(bundle) as server:
        body = {"model": "two", "prompt": "a", "max_tokens": 2}
        found = httpx.post(
            f"{server.url}/v1/completions", json=body, verify=server.trust, timeout=120
        )
        assert found.status_code == httpx.codes.OK, found.text


def test_fetches_from_the_hub(demo_bundle: Path, hub: Hub, expected: bytes, tmp_path: Path) -> None:
    env = environment(hub, tmp_path, hub.authority)
    for words in (["-hf", "acme/demo:Q8_0"], ["-hf", "acme/demo", "--offline"]):
        done = run(["sh", demo_bundle, *CLI, *words], **env)
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == expected
    away = env | {"HF_ENDPOINT": "https://127.0.0.1:1"}
    done = run(["sh", demo_bundle, *CLI, "-hf", "acme/demo"], **away)
    assert done.stdout == expected
    assert b"using what was fetched before" in done.stderr
    (fetched,) = tmp_path.glob("hub/models--acme--demo/snapshots/*/demo.Q8_0.gguf")
    assert fetched.read_bytes() == DEMO.read_bytes()
    # Not there again, and no other's file in its place.
    hub.log.clear()
    error, tip = refusal(run(["sh", demo_bundle, *CLI, "-hf", "acme/other", "--offline"], **env))
    assert (error, hub.log) == ("acme/other: is not in the cache, and --offline was given", [])
    assert "--offline" in tip


def test_a_download_is_resumed(
    demo_bundle: Path, hub: Hub, expected: bytes, tmp_path: Path
) -> None:
    blobs = tmp_path / "hub/models--acme--demo/blobs"
    blobs.mkdir(parents=True)
    sha256 = next(iter(path for path in hub.contents.pages)).rsplit("/", 1)[-1]
    (blobs / f"{sha256}.downloadInProgress").write_bytes(DEMO.read_bytes()[:1000])
    hub.contents.log.clear()
    done = run(
        ["sh", demo_bundle, *CLI, "-hf", "acme/demo"], **environment(hub, tmp_path, hub.authority)
    )
    assert done.stdout == expected, done.stderr
    assert "bytes=1000-" in hub.contents.seen("Range")


@pytest.mark.parametrize(
    "words", [["-hf", "acme/demo"], ["-mu", "{url}/acme/demo/resolve/main/demo.Q8_0.gguf"]]
)
def test_a_certificate_of_nobody_known(
    demo_bundle: Path, hub: Hub, tmp_path: Path, words: list[str]
) -> None:
    words = [word.format(url=hub.url) for word in words]
    env = environment(hub, tmp_path) | {"LLAMA_CACHE": str(tmp_path)}
    done = run(["sh", demo_bundle, *CLI, *words], **env)
    done.stderr = re.sub(rb"^fetching https://.*\n", b"", done.stderr)
    error, tip = refusal(done)
    assert "certificate of the server is not trusted: unable to get local issuer" in error
    assert "SSL_CERT_FILE" in tip


def test_contents_that_the_hub_does_not_state(demo_bundle: Path, hub: Hub, tmp_path: Path) -> None:
    hub.repos["acme/lie"] = Repo({"x.gguf": DEMO.read_bytes()}, etags={"x.gguf": "0" * 64})
    done = run(
        ["sh", demo_bundle, *CLI, "-hf", "acme/lie"], **environment(hub, tmp_path, hub.authority)
    )
    done.stderr = re.sub(rb"^fetching https://.*\n", b"", done.stderr)
    error, _ = refusal(done)
    assert "the Hub states " + "0" * 64 in error
    assert not list(tmp_path.glob("hub/*/blobs/0*"))


@contextmanager
def empty_root(folder: Path, engine: Path, bundle: Path) -> Iterator[list[str | Path]]:
    """The words to start an engine in a file system with it and a bundle alone."""
    if run(["unshare", "-r", "true"]).returncode:
        pytest.skip("no unshare -r here: this machine cannot make a root of its own")
    shutil.copy(engine / "llamapack-engine", folder / "engine")
    shutil.copy(bundle, folder / "bundle")
    yield ["unshare", "-r", "-R", folder, "/engine"]


def test_the_packed_list_is_trusted_where_there_is_no_other(
    demo_bundle: Path,
    engines: Mapping[str, Path],
    hub: Hub,
    expected: bytes,
    tmp_path: Path,
) -> None:
    env = environment(hub, Path("/cache")) | {"LLAMAPACK_BUNDLE": "/bundle"}
    with empty_root(tmp_path, engines["linux-x86_64-static"], demo_bundle) as start:
        words = [*start, *CLI, "-hf", "acme/demo"]
        error, _ = refusal(run(words, **env))
        assert "is not trusted" in error
        append_members(tmp_path / "bundle", {"tls/roots.pem": hub.authority.read_bytes()})
        done = run(words, **env)
        assert done.stdout == expected, done.stderr


def test_pictures_are_fetched_where_the_user_says_so(
    engines: object, hub: Hub, tmp_path: Path
) -> None:
    eyes = write_projector(tmp_path / "eyes.gguf", 256)
    red = base64.b64decode(picture(255, 0, 0).partition(",")[2])
    hub.contents.pages["/red.png"] = Page(red)
    bundle = pack(DEMO, "--mmproj", eyes, "--targets", "host", output=tmp_path / "eyes.llamafile")
    content = [{"type": "image_url", "image_url": {"url": f"{hub.contents.url}/red.png"}}]
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 1}
    for words, status in (([], 400), (["--fetch-media"], 200)):
        hub.contents.log.clear()
        with serving(bundle, *words, SSL_CERT_FILE=str(hub.authority)) as server:
            url = f"{server.url}/v1/chat/completions"
            found = httpx.post(url, json=body, verify=server.trust, timeout=120)
            assert found.status_code == status, found.text
            assert ("--fetch-media" in found.text) == (status == 400)
            assert bool(hub.contents.log) == (status == 200)


def test_windows_serves_https(wine: Wine, demo_bundle: Path) -> None:
    port = free_port()
    words = ("--server", "--nobrowser", "--https", "--port", str(port))
    with wine.started(demo_bundle, *words):
        place = wine.local_app_data / "llamapack" / "https" / "cert.pem"
        wait_for(place.exists)
        server = Secure(f"https://localhost:{port}", place)
        wait_for(server.is_healthy)
        assert server.answer()
