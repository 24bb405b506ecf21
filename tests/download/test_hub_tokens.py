"""Repositories that want a token, and whom it is shown to."""

from __future__ import annotations

import subprocess
from pathlib import Path

from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import CommandLine, Refused
from helpers.web_server import Answer, WebServer
from hub_commands import Run

TOKEN = "hf_secret"


def test_a_gated_model(
    model: Repo, run: Run, refused: Refused, tmp_path: Path, hub: HubServer
) -> None:
    model.gated, model.token = True, TOKEN
    done = run("fetch", "hf:org/see-GGUF")
    assert "hf:org/see-GGUF is gated" in refused(done)
    assert f"Accept them at {hub.url}/org/see-GGUF, then set HF_TOKEN" in done.stderr
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN="hf_strange")
    assert "is gated" in refused(done)
    assert "with the account of your token" in done.stderr
    assert run("fetch", "hf:org/see-GGUF", HF_TOKEN=TOKEN).returncode == 0


def test_a_private_model(model: Repo, run: Run, refused: Refused, tmp_path: Path) -> None:
    model.token = TOKEN
    done = run("fetch", "hf:org/see-GGUF")
    assert "there is no model org/see-GGUF at" in refused(done)
    assert "for a private one set HF_TOKEN" in done.stderr
    assert "your token may not" in refused(run("fetch", "hf:org/see-GGUF", HF_TOKEN="hf_strange"))
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN="unknown")
    assert "rejects your token" in refused(done)
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN="hf\u2028x")
    assert refused(done)
    # As `hf auth login` leaves it; and elsewhere.
    (tmp_path / "hf").mkdir(exist_ok=True)
    (tmp_path / "hf" / "token").write_text(f"{TOKEN}\n")
    assert run("fetch", "hf:org/see-GGUF").returncode == 0
    assert refused(run("fetch", "hf:org/see-GGUF:Q2_K", HF_HUB_DISABLE_IMPLICIT_TOKEN="1"))
    (tmp_path / "hf" / "token").rename(tmp_path / "elsewhere")
    assert run(
        "fetch", "hf:org/see-GGUF:Q2_K", HF_TOKEN_PATH=str(tmp_path / "elsewhere")
    ).returncode == 0  # fmt: skip


def test_the_token_goes_to_the_hub_only(
    model: Repo, run: Run, hub: HubServer, web: WebServer
) -> None:
    """Not to the host of the contents, not to another port, and into no output."""
    model.token = TOKEN
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN=TOKEN)
    assert done.returncode == 0
    assert set(hub.seen("authorization")) == {f"Bearer {TOKEN}"}
    assert hub.contents.log
    assert not hub.contents.seen("authorization")
    hub.failures = [Answer(307, {"Location": f"{web.url}/elsewhere"})]
    failed = run("fetch", "hf:org/see-GGUF:Q2_K", HF_TOKEN=TOKEN)
    assert failed.returncode == 1
    assert web.log
    assert not web.seen("authorization")
    for output in (done, failed):
        assert TOKEN not in output.stdout + output.stderr
        assert "SIGNED" not in output.stdout + output.stderr


def test_another_port_is_another_host(
    model: Repo, run: Run, hub: HubServer, web: WebServer
) -> None:
    """For files as well as for lists of them."""
    model.token = TOKEN
    hub.contents = web
    done = run("fetch", "hf:org/see-GGUF", "hf:org/see-GGUF/README.md", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert web.log
    assert not web.seen("authorization")


def test_the_token_is_in_no_log(
    model: Repo, hub: HubServer, llamapack: CommandLine, tmp_path: Path
) -> None:
    model.token = TOKEN
    log = "import logging; logging.basicConfig(level=logging.DEBUG)\n"
    done = subprocess.run(
        llamapack.command("fetch", "hf:org/see-GGUF", first=log),
        env={**llamapack.environment, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "/api/models/org/see-GGUF" in done.stderr
    assert TOKEN not in done.stderr


def test_a_renamed_repository(model: Repo, run: Run, hub: HubServer) -> None:
    """The Hub redirects to the new name, and the token stays with it."""
    model.token = TOKEN
    hub.failures = [Answer(307, {"Location": "/api/models/org/see-GGUF/revision/main?blobs=true"})]
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
