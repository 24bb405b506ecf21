"""Who may use the server of a running file: its user's programs and pages, nobody else's."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import requests
from helpers.running import Server, free_port, refusal, run, serving
from requests_sent import CHAT, PROMPT, raw, sent

from packer.engines import native, pins, source

EVIL = "https://evil.example"
FORM = "application/x-www-form-urlencoded"


def port(server: Server) -> str:
    return server.url.rsplit(":", 1)[1]


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:1", "a.localhost:80", "127.8.9.1", "[::1]:8080", "localhost.", ""],
)
def test_names_of_this_machine(server: Server, host: str) -> None:
    assert sent(server.url, "GET", "/props", Host=host)[0] == 200
    assert sent(server.url, "POST", "/completion", PROMPT, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "8.8.8.8", "localhost.evil.example", "evillocalhost",
     "127.0.0.1.evil.example", "127.1", "0x7f000001", "localhost@evil.example", "[fe80::1]", ":80",
     "localhost:1@evil.example", "[::1].evil.example", "[::1", "evil@a.localhost", "127.1/x"],
)  # fmt: skip
def test_names_that_lead_here_from_elsewhere(server: Server, host: str) -> None:
    for path in ("/", "/props", "/health", "/v1/models"):
        assert sent(server.url, "GET", path, Host=host)[0] == 403
    assert sent(server.url, "POST", "/completion", PROMPT, Host=host)[0] == 403


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "http://evil.example:8080", "http://localhost.evil.example",
               "chrome-extension://abcdef", "file://", "http://8.8.8.8", "", "http://127.0.0.1@evil.example",
               "http://localhost:80@evil.example", "http://[::1].evil.example", "x://localhost",
               "://localhost", "http://127.0.0.1:80/evil"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/completion", "/v1/chat/completions", "/tools", "/lora-adapters"]
)
def test_pages_of_other_sites(server: Server, path: str, origin: str) -> None:
    head = f"Host: {server.url[7:]}\r\nConnection: close\r\nOrigin: {origin}\r\n"
    kinds = ("text/plain", FORM, "application/json", "multipart/form-data; boundary=x")
    for method in ("POST", "PUT", "DELETE", "GET", "OPTIONS", "HEAD"):
        for kind in kinds:
            body = f"Content-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}"
            status, answer = raw(server.url, f"{method} {path} HTTP/1.1\r\n{head}{body}".encode())
            assert status == 403
            assert "Access-Control" not in answer


def routes() -> list[tuple[str, str]]:
    """Method and path of every route that the pinned upstream has, and of ours."""
    text = (source.folder(pins.load(native.directory())) / "tools/server/server.cpp").read_text()
    ours = "".join(path.read_text() for path in native.directory().glob("engine/api/*.cpp"))
    found = re.findall(r'(?:ctx_http|context)\.(get|post|del) ?\("([^"]+)"', text + ours)
    return [({"del": "DELETE"}.get(verb, verb.upper()), path) for verb, path in found]


def test_every_route(server: Server) -> None:
    """After a bump of llama.cpp, too: no route is outside the guard."""
    known = routes()
    assert len(known) > 40
    assert {("POST", "/v1/chat/completions"), ("POST", "/api/chat")} <= set(known)
    for method, path in known:
        assert sent(server.url, method, path, Host="evil.example")[0] == 403, path
        assert sent(server.url, method, path, {"a": 1}, Origin=EVIL)[0] == 403, path
        if method == "POST":
            status = sent(server.url, method, path, PROMPT, Content_Type="text/plain")[0]
            assert status == 415, path


def test_what_browsers_do_without_an_origin(server: Server) -> None:
    """A link may lead here; a picture, a script, a frame, an old browser's form may not."""
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    page = {**link, "Sec_Fetch_Dest": "document", "Referer": f"{EVIL}/"}
    assert sent(server.url, "GET", "/", None, **page)[0] == 200
    assert sent(server.url, "GET", "/", None, **link)[0] == 200
    assert sent(server.url, "GET", "/", None, **page | {"Sec_Fetch_Dest": "iframe"})[0] == 403
    assert sent(server.url, "GET", "/props", None, **page | {"Sec_Fetch_Mode": "no-cors"})[0] == 403
    assert sent(server.url, "POST", "/completion", PROMPT, **page)[0] == 403
    assert sent(server.url, "POST", "/completion", PROMPT, Referer=f"{EVIL}/page")[0] == 403
    assert sent(server.url, "POST", "/completion", PROMPT, Referer=f"{server.url}/")[0] == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; application/json", "application/xml", "json",
             "application/jsonp", "text/json", "application/octet-stream"],
)  # fmt: skip
def test_other_bodies(server: Server, kind: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        status, answer = sent(server.url, method, "/completion", PROMPT, Content_Type=kind)
        assert status == 415
        assert "application/json" in answer


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/a+json",
    ],
)
def test_json(server: Server, kind: str) -> None:
    assert sent(server.url, "POST", "/completion", PROMPT, Content_Type=kind)[0] == 200


def test_curl_without_a_content_type(server: Server) -> None:
    """It calls the body a form. So does a browser, but that says who it is."""
    curl = ["curl", "-s", f"{server.url}/completion", "-d", json.dumps(PROMPT)]
    assert "content" in json.loads(run(curl).stdout)
    for header in ("Origin: http://localhost", "User-Agent: Mozilla/5.0", "Sec-Fetch-Site: none"):
        answer = run([*curl, "-w", "\n%{http_code}", "-H", header]).stdout
        assert answer.splitlines()[-1] == b"415"


@pytest.mark.parametrize("wait", ["", "Expect: 100-continue\r\n"])
def test_refused_before_the_body_is_read(server: Server, wait: str) -> None:
    """The body is never sent, and the answer comes all the same."""
    head = f"POST /completion HTTP/1.1\r\nContent-Length: 1000000000\r\n{wait}"
    for lines, expected in [
        ("Host: x.example\r\nContent-Type: application/json\r\n\r\n", 403),
        (f"Host: localhost\r\nOrigin: {EVIL}\r\nContent-Type: application/json\r\n\r\n", 403),
        ("Host: localhost\r\nContent-Type: text/plain\r\n\r\n", 415),
    ]:
        status, answer = raw(server.url, (head + lines).encode(), timeout=10)
        assert status == expected
        assert "100 Continue" not in answer


def test_http_1_0(server: Server) -> None:
    assert raw(server.url, b"GET /health HTTP/1.0\r\n\r\n")[0] == 200
    unsized = b"POST /completion HTTP/1.0\r\nContent-Type: text/plain\r\n\r\n"
    assert raw(server.url, unsized)[0] == 415


def test_pages_of_this_machine_may_read(server: Server) -> None:
    status, answer = sent(server.url, "GET", "/props", Origin="http://localhost:3000")
    assert status == 200
    assert "Access-Control-Allow-Origin: http://localhost:3000\r\n" in answer
    assert "Access-Control" not in sent(server.url, "GET", "/props")[1]


def test_those_that_are_let_in(demo_bundle: Path) -> None:
    more = ("--allow-origin", "three.example:81")
    with serving(demo_bundle, "--allow-origin", "https://one.example,two.example", *more) as server:
        for origin in ("https://one.example", "https://ONE.example:443", "http://two.example:9",
                       "https://three.example:81"):  # fmt: skip
            status, answer = sent(server.url, "POST", "/completion", PROMPT, Origin=origin)
            assert status == 200, origin
            assert f"Access-Control-Allow-Origin: {origin}\r\n" in answer
            assert sent(server.url, "OPTIONS", "/completion", Origin=origin)[0] == 200
        others = ("http://one.example", "https://three.example", "https://four.example", "null")
        for origin in others:
            assert sent(server.url, "POST", "/completion", PROMPT, Origin=origin)[0] == 403, origin
        hosts = {"two.example": 200, "one.example:8080": 200, "four.example": 403}
        for host, expected in hosts.items():
            assert sent(server.url, "GET", "/props", Host=host)[0] == expected
    with serving(demo_bundle, "--allow-origin", "*") as server:
        status, answer = sent(server.url, "POST", "/completion", PROMPT, Origin=EVIL, Host="any")
        assert status == 200
        assert f"Access-Control-Allow-Origin: {EVIL}\r\n" in answer
        assert sent(server.url, "POST", "/completion", PROMPT, Content_Type="text/plain")[0] == 415


@pytest.mark.parametrize("value", ["", "a b", "https://a/path", "*.example", "a,,b"])
def test_what_is_no_host_is_not_let_in(demo_bundle: Path, value: str) -> None:
    done = run(["sh", demo_bundle, "--server", "--nobrowser", "--allow-origin", value])
    assert refusal(done)[0].startswith("--allow-origin")


def test_every_address(demo_bundle: Path) -> None:
    """An address cannot be made to lead elsewhere, as a name can; a page at one is another site."""
    with serving(demo_bundle, "--host", "0.0.0.0") as server:
        number = port(server)
        assert sent(server.url, "GET", "/props", Host=f"192.168.7.7:{number}")[0] == 200
        assert sent(server.url, "GET", "/props", Host="evil.example")[0] == 403
        origins = {f"http://192.168.7.7:{number}": 200, "http://192.168.7.8": 403}
        for origin, expected in origins.items():
            headers = {"Host": f"192.168.7.7:{number}", "Origin": origin}
            assert sent(server.url, "POST", "/completion", PROMPT, **headers)[0] == expected


def test_a_key_leaves_names_to_it(demo_bundle: Path) -> None:
    with serving(demo_bundle, "--api-key", "secret") as server:
        assert sent(server.url, "POST", "/completion", PROMPT, Host="my.example")[0] == 401
        key = {
            "Authorization": "Bearer secret",
            "Host": "my.example",
            "Origin": "https://my.example",
        }
        assert sent(server.url, "POST", "/completion", PROMPT, **key)[0] == 200
        text = key | {"Content_Type": "text/plain"}
        assert sent(server.url, "POST", "/completion", PROMPT, **text)[0] == 415


def test_the_chat_s_server_too(demo_bundle: Path) -> None:
    """The default start is chat and server."""
    number = free_port()
    process = subprocess.Popen(
        ["sh", demo_bundle, "--port", str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(b"Hi\n")
        process.stdin.flush()
        assert process.stdout.readline()
        url = f"http://127.0.0.1:{number}"
        assert sent(url, "POST", "/completion", PROMPT)[0] == 200
        assert sent(url, "POST", "/completion", PROMPT, Origin=EVIL)[0] == 403
        assert sent(url, "GET", "/props", Host="evil.example")[0] == 403
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(30) == 0


def test_multipart_where_upstream_takes_it(server: Server) -> None:
    """The demo hears nothing, but it is asked."""
    answer = requests.post(
        f"{server.url}/v1/audio/transcriptions",
        files={"file": b"RIFF"},
        data={"model": "demo"},
        timeout=60,
    )
    assert "audio input" in answer.json()["error"]["message"]


@pytest.mark.parametrize("key", ["chat_parser", "chat_pars\\u0065r"])
def test_keys_that_only_the_server_sets_are_dropped(server: Server, key: str) -> None:
    """CVE-2026-107183: a parser of somebody else's, which upstream would load."""
    for path, body in (("/completion", PROMPT), ("/v1/chat/completions", CHAT)):
        text = json.dumps(body)[:-1] + f', "{key}": "no parser at all"}}'
        status, answer = sent(server.url, "POST", path, text.encode())
        assert status == 200, answer
    form = {"chat_parser": "no parser at all", "prompt": "a"}
    answered = requests.post(
        f"{server.url}/completion", files={"x": b""}, data=form | {"n_predict": "2"}, timeout=60
    )
    assert "parser" not in answered.text
