"""What an engine cannot do, even where its code is somebody else's; and what it still can."""

from __future__ import annotations

import base64
import ctypes
import errno
import http.server
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.repository import DEMO, LORA, REPOSITORY
from helpers.running import (
    CLI,
    append_members,
    family,
    fetched,
    free_port,
    greedy,
    pack,
    refusal,
    run,
    serving,
    until_healthy,
)
from vision import picture, write_projector
from wine import Wine

ANSWER = "A llamafile is one file"
REFUSED = {errno.EPERM, errno.EACCES}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that attacks from inside."""
    library = tmp_path_factory.mktemp("hostile") / "hostile.so"
    source = Path(__file__).with_name("hostile.c")
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", source]
    subprocess.run([*map(str, command), "-o", str(library)], check=True)
    return library


@pytest.fixture(scope="module")
def engine(engines: dict[str, Path]) -> Path:
    return engines["linux-x86_64"] / "llamapack-engine"


@dataclass
class Taken:
    """An engine with the hostile library in it."""

    process: subprocess.Popen[bytes]
    url: str
    reports: int

    def attacks(self, pid: int | None = None) -> list[dict[str, int]]:
        """What all threads of a process get for their attacks: numbers of errors, 0 for success."""
        pid = pid or self.process.pid
        found = []
        for task in list(Path(f"/proc/{pid}/task").iterdir()):
            thread = int(task.name)
            ctypes.CDLL(None).syscall(234, pid, thread, int(signal.SIGUSR1))  # tgkill
            if not select.select([self.reports], [], [], 30)[0]:
                assert not task.exists(), "no answer: has it died?"
                continue  # a thread of the server's pool has ended by itself
            words = os.read(self.reports, 4096).decode().split()
            results = {name: int(number) for name, number in (word.split("=") for word in words)}
            assert results.pop("thread") == thread
            found.append(results)
        return found


Starter = Callable[..., AbstractContextManager[Taken]]


@pytest.fixture
def taken(hostile: Path, engine: Path, tmp_path: Path) -> Starter:
    """Starts an engine with the library, the secret and a port that is somebody else's."""
    home = tmp_path / "home"
    secret = home / ".ssh" / "id_x"
    secret.parent.mkdir(parents=True)
    secret.write_text("secret")
    cwd = tmp_path / "here"
    cwd.mkdir()

    @contextmanager
    def start(model: Path, *words: str | Path, mode: str = "--server") -> Iterator[Taken]:
        reports, writer = os.pipe()
        victim = subprocess.Popen(["sleep", "600"])
        with socket.create_server(("127.0.0.1", 0)) as other:
            environment = os.environ | {
                "HOME": str(home), "LD_PRELOAD": str(hostile), "HOSTILE_REPORT": str(writer),
                "HOSTILE_PORT": str(other.getsockname()[1]), "HOSTILE_VICTIM": str(victim.pid),
                "HOSTILE_SECRET": str(secret), "HOSTILE_OUTPUT": str(home / "new"),
                "LLAMAPACK_BUNDLE": str(model) if model.suffix == ".llamafile" else "",
            }  # fmt: skip
            port = free_port()
            given = [] if environment["LLAMAPACK_BUNDLE"] else ["-m", model]
            command = [engine, *given, mode, "--nobrowser", "--port", str(port), "-t", "2", *words]
            process = subprocess.Popen(
                [str(word) for word in command],
                env=environment, cwd=cwd, pass_fds=[writer], stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                yield Taken(process, f"http://127.0.0.1:{port}", reports)
            finally:
                process.kill()
                process.wait()
                victim.kill()
                victim.wait()
                os.close(reports)
                os.close(writer)
        assert secret.read_text() == "secret"

    return start


def filters(pid: int) -> list[str]:
    """Of all threads: 2 is a filter of system calls."""
    found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return [re.findall(r"^Seccomp:\s+(\d)", text, re.M)[0] for text in found]


def line(stderr: bytes) -> str:
    """The one line about the sandbox."""
    (found,) = [ln for ln in stderr.decode().splitlines() if ln.startswith("sandbox: ")]
    return found


def until_answering(server: Taken) -> None:
    until_healthy(server.url, server.process)
    assert greedy(server.url, max_tokens=8)


def test_hostile_code_in_a_server(taken: Starter) -> None:
    with taken(DEMO) as server:
        until_answering(server)
        found = server.attacks()
        assert len(found) > 4
        for attacks in found:
            assert {name: code for name, code in attacks.items() if code not in REFUSED} == {}
        assert set(filters(server.process.pid)) == {"2"}
        assert ANSWER in greedy(server.url)


def test_the_attacks_are_real(taken: Starter) -> None:
    """The same without sandbox; where the machine itself refuses, it is not counted."""
    with taken(DEMO, "--unsecure") as server:
        until_answering(server)
        attacks = server.attacks()[0]
        own = ("read", "overwrite", "create", "chmod", "environment", "connect", "fastopen", "udp")
        for name in (*own, "unix", "bind", "exec", "kill", "tkill"):
            assert attacks[name] in (0, errno.EINPROGRESS, errno.EOPNOTSUPP), name
        assert set(filters(server.process.pid)) == {"0"}


def test_hostile_code_in_a_chat(taken: Starter) -> None:
    with taken(DEMO, mode="--chat") as chat:
        deadline = time.monotonic() + 30
        while len(found := filters(chat.process.pid)) < 4 or set(found) != {"2"}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for attacks in chat.attacks():
            assert {name: code for name, code in attacks.items() if code not in REFUSED} == {}


@pytest.fixture(scope="module")
def two(engines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    second = shutil.copyfile(DEMO, folder / "second.gguf")
    return pack(
        "--model", f"a={DEMO}", "--model", f"b={second}", "--lora", f"b={LORA}",
        "--targets", "linux-x86_64", output=folder / "two.llamafile",
    )  # fmt: skip


def test_hostile_code_in_a_router_and_in_its_models(
    taken: Starter, two: Path, hostile: Path
) -> None:
    # Its models have to be able to load the library.
    with taken(two, "--media-path", hostile.parent) as server:
        until_healthy(server.url, server.process)
        assert ANSWER in greedy(server.url, "a")
        assert "matey" in greedy(server.url, "b")
        router, *models = [one.pid for one in family(server.process.pid)]
        assert len(models) == 2
        for attacks in server.attacks(router):  # it starts its own program and finds its ports
            allowed = {name for name, code in attacks.items() if code not in REFUSED}
            assert allowed <= {"kill", "tkill"}, attacks
            assert attacks["kill"] in REFUSED
        for model in models:
            assert set(filters(model)) == {"2"}
            for attacks in server.attacks(model):
                assert {name: code for name, code in attacks.items() if code not in REFUSED} == {}


def test_nothing_of_it_shows_in_answers(demo_bundle: Path, engine: Path, expected: bytes) -> None:
    found = run([engine, "-m", DEMO, *CLI])
    assert found.stdout == expected
    assert line(found.stderr) == f"sandbox: Landlock {landlock()}, seccomp"
    assert b"sandbox" not in run([engine, "-m", DEMO, *CLI, "--log-disable"]).stderr
    with serving(demo_bundle) as server:
        page = ["curl", "-s", "--compressed", "-H", "Accept: text/html", server.url]
        assert b"<html" in run(page).stdout


def landlock() -> int:
    return int(ctypes.CDLL(None).syscall(444, None, 0, 1))


_WITHOUT = """
import ctypes, os, struct, sys
code = [(0x20, 0, 0, 0)]
for number in (444, 445, 446):
    code += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | 38)]
code += [(0x06, 0, 0, 0x7FFF0000)]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(text)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_landlock(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """On a kernel that has none, as far as a program can tell."""
    return run([sys.executable, "-c", _WITHOUT, *words])


def test_require_refuses_where_something_is_missing(engine: Path, expected: bytes) -> None:
    error, tip = refusal(without_landlock(engine, "-m", DEMO, *CLI, "--sandbox", "require"))
    assert error.startswith("--sandbox require: this system cannot hold files (no Landlock)")
    assert "--sandbox auto" in tip
    found = without_landlock(engine, "-m", DEMO, *CLI)
    assert found.stdout == expected
    assert line(found.stderr) == "sandbox: seccomp, open: files (no Landlock)"
    assert run([engine, "-m", DEMO, *CLI, "--sandbox", "require"]).stdout == expected


def test_who_may_turn_it_off(linux_bundle: Path, tmp_path: Path) -> None:
    def started(args: str, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        copy = tmp_path / "copy.llamafile"
        copy.write_bytes(linux_bundle.read_bytes())
        append_members(copy, {".args": args})
        return run(["sh", copy, *CLI, *words], **environment)

    weights = f"-m {DEMO.name} "
    assert b"sandbox: Landlock" in started(weights + "--unsecure").stderr
    error, _ = refusal(started(weights + "--sandbox off"))
    assert error == "--sandbox off is in the arguments of a file, which may not decide it"
    assert b"sandbox" not in started(weights + "--sandbox require", "--sandbox", "off").stderr
    assert b"sandbox" not in started(weights + "... --sandbox auto", "--unsecure").stderr
    assert b"sandbox" not in started(weights, LLAMAPACK_SANDBOX="off").stderr
    error, _ = refusal(started(weights, LLAMAPACK_SANDBOX="no"))
    assert error == "LLAMAPACK_SANDBOX=no: there is no such mode"


def test_data_says_nothing_about_it(engine: Path, linux_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.llamafile"
    copy.write_bytes(linux_bundle.read_bytes())
    append_members(copy, {".args": f"-m {DEMO.name} --sandbox require"})
    error, _ = refusal(run([engine, "-m", copy, *CLI]))
    assert "--sandbox, which a file of weights may not decide" in error
    trusting = [engine, "-m", copy, *CLI, "--trust-args"]
    append_members(copy, {".args": f"-m {DEMO.name} --sandbox off"})
    assert "which may not decide it" in refusal(run(trusting))[0]


def test_files_that_are_named(engine: Path, tmp_path: Path, expected: bytes) -> None:
    log, cache, slots = tmp_path / "log", tmp_path / "cache", tmp_path / "slots"
    slots.mkdir()
    words = ["--log-file", log, "--prompt-cache", cache]
    found = run([engine, "-m", DEMO, *CLI, *words])
    assert found.returncode == 0
    assert line(found.stderr).endswith(
        "; --log-file: writes the file; --prompt-cache: reads and writes the file"
    )
    assert log.stat().st_size > 0
    assert cache.stat().st_size > 0
    shards = run([engine, "-m", DEMO, *CLI, "--grammar-file", REPOSITORY / "LICENSE"])
    assert b"denied" not in shards.stderr


def test_slots_are_saved(demo_bundle: Path, tmp_path: Path) -> None:
    with serving(demo_bundle, "-np", "1", "--slot-save-path", str(tmp_path)) as server:
        greedy(server.url, max_tokens=4)
        saved = fetched(f"{server.url}/slots/0?action=save", {"filename": "one"})
        assert saved["n_saved"] > 0
        assert (
            fetched(f"{server.url}/slots/0?action=restore", {"filename": "one"})["n_restored"] > 0
        )


class _Pictures(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(picture_bytes())

    def log_message(self, *_: object) -> None:
        pass


def picture_bytes() -> bytes:
    return base64.b64decode(picture(255, 0, 0).partition(",")[2])


def test_pictures_by_address(engine: Path, tmp_path: Path) -> None:
    """A model that sees is let out, and it says so."""
    eyes = write_projector(tmp_path / "eyes.gguf", 256)
    port = free_port()
    with http.server.HTTPServer(("127.0.0.1", 0), _Pictures) as pictures:
        threading.Thread(target=pictures.serve_forever, daemon=True).start()
        words = ["--mmproj", eyes, "--fetch-media", "--server", "--nobrowser", "--port", port]
        command = [str(word) for word in (engine, "-m", DEMO, *words)]
        server = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            url = f"http://127.0.0.1:{port}"
            assert server.stderr
            said = line(server.stderr.readline() + server.stderr.readline())
            assert said.endswith("; --fetch-media: connects to any port, for image_url in requests")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            until_healthy(url, server)
            address = f"http://127.0.0.1:{pictures.server_port}/a.png"
            parts = [{"type": "image_url", "image_url": {"url": address}}]
            body = {"messages": [{"role": "user", "content": parts}], "max_tokens": 2}
            assert fetched(f"{url}/v1/chat/completions", body)["choices"]
        finally:
            server.kill()
            server.wait()
            pictures.shutdown()


def table(text: str) -> list[tuple[str, str]]:
    section = text.partition("\nSANDBOX\n")[2].partition("\nENVIRONMENT")[0]
    return re.findall(r"^    (\S.*)\n        (\S.*)$", section, re.M)


def test_the_table_is_in_the_documents(engine: Path) -> None:
    rows = table(run([engine, "--help"]).stdout.decode())
    assert len(rows) > 10
    text = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    section = text.partition("## The sandbox\n")[2].partition("\n## ")[0]
    documented = [
        (who.replace("`", "").replace(",", ""), needs.replace("`", ""))
        for who, needs in re.findall(r"^\| (.*?) \| (.*) \|$", section, re.M)
    ]
    assert [row for row in rows if (row[0].replace(",", ""), row[1]) not in documented] == []


def test_vulkan(engines: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not list(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json")):
        pytest.skip("no lavapipe here: no Vulkan device (apt-get install mesa-vulkan-drivers)")
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", "0")
    bundle = pack(
        DEMO, "--targets", "linux-x86_64", "--gpu", "vulkan", output=tmp_path / "g.llamafile"
    )
    with serving(bundle, "--gpu", "vulkan", "-ngl", "999") as server:
        assert ANSWER in greedy(server.url)
        pid = server.process.pid
        threads = filters(pid)
        assert len(threads) > 4
        assert set(threads) == {"2"}
        assert "libvulkan" in Path(f"/proc/{pid}/maps").read_text()


def test_windows(wine: Wine, demo_bundle: Path) -> None:
    found = wine.run(demo_bundle, *CLI)
    assert ANSWER.encode() in found.stdout
    assert "open: files and connections" in line(found.stderr)
