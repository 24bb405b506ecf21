"""`llamapack verify --provenance`: the statement that the pipeline writes, and what it finds."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.stand_ins import CommandLine, Refused
from hypothesis import given
from hypothesis import strategies as st
from releases import run

from ci.release import provenance, seal
from packer.inspection import provenance as reader
from runtime.errors import InputError
from runtime.formats.bundle import Bundle


@pytest.fixture
def statement(bundle: Path, tmp_path: Path) -> Path:
    """Of the bundle, with its stand-in engine among the dependencies."""
    path = tmp_path / "tiny.intoto.json"
    with Bundle.open(bundle) as opened:
        provenance.write(path, provenance.subjects_of(bundle, opened), {"recipe": "tiny"})
        (engine,) = opened.engines
    document = json.loads(path.read_bytes())
    known = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    known[:] = [one for one in known if one["name"] != "engine linux-x86_64"]
    known.append(
        {"digest": {"sha256": engine.id}, "name": "engine linux-x86_64", "uri": "pkg:generic/e"}
    )
    path.write_text(json.dumps(document))
    return path


def changed(statement: Path, name: str, **facts: Any) -> None:
    """Give a dependency of the statement other facts."""
    document = json.loads(statement.read_bytes())
    for one in document["predicate"]["buildDefinition"]["resolvedDependencies"]:
        if one["name"] == name:
            one.update(facts)
    statement.write_text(json.dumps(document))


def found(llamapack: CommandLine, bundle: Path, statement: Path) -> list[tuple[str, str]]:
    done = llamapack("verify", bundle, "--provenance", statement, "--json")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["problems"] else 0)
    return [(problem["kind"], problem["member"]) for problem in report["problems"]]


def test_it_is_slsa_provenance_of_file_and_members(statement: Path, bundle: Path) -> None:
    document = json.loads(statement.read_bytes())
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {one["name"]: one["digest"]["sha256"] for one in document["subject"]}
    assert subjects["tiny.llamafile"] == run("sha256sum", bundle).stdout.split()[0]
    assert "tiny.llamafile/zip/tiny.gguf" in subjects
    build = document["predicate"]["buildDefinition"]
    known = {one["name"]: one for one in build["resolvedDependencies"]}
    head = run("git", "rev-parse", "HEAD").stdout.strip()
    assert known["llamapack"]["digest"] == {"gitCommit": head}
    assert len(known["llama.cpp"]["digest"]["sha256"]) == 64


def test_the_bundle_it_is_about(llamapack: CommandLine, bundle: Path, statement: Path) -> None:
    done = llamapack("verify", bundle, "--provenance", statement)
    assert (done.returncode, done.stderr) == (0, "")
    assert "file, members and pins" in done.stdout
    renamed = bundle.rename(bundle.with_name("renamed.llamafile"))
    assert found(llamapack, renamed, statement) == []


def test_a_bundle_that_was_edited(llamapack: CommandLine, bundle: Path, statement: Path) -> None:
    assert llamapack("edit", bundle, "--args", "--temp 0").returncode == 0
    assert found(llamapack, bundle, statement) == [
        ("changed", "the file"),
        ("changed", ".args"),
        ("changed", "llamapack.json"),
    ]


def test_another_bundle(
    llamapack: CommandLine, bundle: Path, gguf: Path, statement: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.llamafile"
    assert llamapack("pack", gguf, "-o", other, "--args", "-c 9", "-q").returncode == 0
    assert found(llamapack, other, statement) == [("unknown", "the file")]


def test_another_engine(llamapack: CommandLine, bundle: Path, statement: Path) -> None:
    changed(statement, "engine linux-x86_64", digest={"sha256": "0" * 64})
    assert found(llamapack, bundle, statement) == [("unknown", "engine linux-x86_64")]


@pytest.mark.parametrize(
    "facts",
    [{"digest": {"gitCommit": "0" * 40}}, {"uri": "pkg:github/ggml-org/llama.cpp@v9"}],
)
def test_other_pins(
    facts: dict[str, Any], llamapack: CommandLine, bundle: Path, statement: Path
) -> None:
    changed(statement, "llama.cpp", **facts)
    assert found(llamapack, bundle, statement) == [("changed", "pins")]


def test_in_the_envelope_of_a_signature(
    llamapack: CommandLine, bundle: Path, statement: Path
) -> None:
    payload = base64.b64encode(statement.read_bytes()).decode()
    envelope = {"payload": payload, "payloadType": "application/vnd.in-toto+json"}
    for document in (envelope, {"dsseEnvelope": envelope}):
        statement.write_text(json.dumps(document))
        assert found(llamapack, bundle, statement) == []


def test_refuses_what_is_none(
    llamapack: CommandLine, bundle: Path, gguf: Path, tmp_path: Path, refused: Refused
) -> None:
    for path in (gguf, tmp_path / "absent"):
        refused(llamapack("verify", bundle, "--provenance", path))


def test_a_file_without_manifest(
    llamapack: CommandLine, bundle: Path, statement: Path, tmp_path: Path, refused: Refused
) -> None:
    stripped = Path(shutil.copy(bundle, tmp_path / "stripped.llamafile"))
    run("zip", "-qd", stripped, "llamapack.json")
    assert "no manifest" in refused(llamapack("verify", stripped, "--provenance", statement))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["_type", "subject", "predicate", "payload", "dsseEnvelope"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_other_json_is_no_statement(tmp_path_factory: pytest.TempPathFactory, it: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(it))
    with pytest.raises(InputError, match="not an in-toto statement"):
        reader.read(path)


def test_a_machine_without_engines_keeps_those_that_are_stated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that publishes has an empty build cache, and seals once more."""
    (tmp_path / "llamapack.whl").write_bytes(b"wheel")
    statement = tmp_path / "llamapack.intoto.json"
    seal.seal(tmp_path)
    document = json.loads(statement.read_bytes())
    build = document["predicate"]["buildDefinition"]
    build["resolvedDependencies"].append({"name": "engine nowhere", "uri": "pkg:generic/x"})
    statement.write_text(json.dumps(document))
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "empty"))
    (tmp_path / "program.zip").write_bytes(b"program")
    seal.seal(tmp_path)
    again = reader.read(statement)
    assert "engine nowhere" in again.dependencies
    assert again.subjects.keys() == {"llamapack.whl", "program.zip"}
