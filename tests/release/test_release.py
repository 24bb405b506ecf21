"""The whole release of the demo recipe by one command, looked at with other programs."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from helpers.repository import DEMO, REPOSITORY
from releases import run, run_release

from ci.release import checksums

pytestmark = pytest.mark.timeout(1800)


def test_sha256sum_accepts_all_lists(release: Path) -> None:
    lists = [*release.rglob("SHA256SUMS"), *release.rglob("*.sha256")]
    assert len(lists) == 4
    for path in lists:
        run("sha256sum", "--strict", "--quiet", "-c", path.name, cwd=path.parent)
    for folder in (release / "assets", release / "wheels", release / "hub" / "demo"):
        listed = (folder / "SHA256SUMS").read_text().splitlines()
        names = {line.split("  ", 1)[1] for line in listed}
        assert names == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}


def test_verify_accepts_the_bundle_with_its_provenance(release: Path) -> None:
    words = ["verify", "demo.llamafile", "--provenance", "demo.intoto.json"]
    env = {"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"}
    run(sys.executable, "-m", "packer", *words, cwd=release / "hub" / "demo", env=env)


def test_the_parts_are_the_bundle_and_small_enough(release: Path) -> None:
    parts = sorted((release / "assets").glob("demo.llamafile.cat?"))
    assert len(parts) > 1
    whole = (release / "hub" / "demo" / "demo.llamafile").read_bytes()
    assert b"".join(part.read_bytes() for part in parts) == whole
    assert all(path.stat().st_size < 2 << 30 for path in release.rglob("*"))


def test_the_bill_of_materials_is_cyclonedx_with_the_weights(release: Path) -> None:
    text = (release / "hub" / "demo" / "demo.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    (weights,) = [one for one in components if one["type"] == "machine-learning-model"]
    assert weights["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert weights["modelCard"]["modelParameters"]["architectureFamily"] == "llama"
    sha256 = run("sha256sum", DEMO).stdout.split()[0]
    assert weights["hashes"] == [{"alg": "SHA-256", "content": sha256}]
    assert {"llama.cpp", "zig", "cpp-httplib"} <= {one["name"] for one in components}


def test_every_asset_has_provenance(release: Path) -> None:
    subjects = set()
    for path in (release / "assets").glob("*.intoto.json"):
        subjects |= {one["name"] for one in json.loads(path.read_bytes())["subject"]}
    papers = {"SHA256SUMS", "llamapack.intoto.json", "demo.intoto.json"}
    assert {path.name for path in (release / "assets").iterdir()} - papers <= subjects


def test_the_wheel_carries_sources_templates_and_the_pinned_index(
    release: Path, wheel: Path
) -> None:
    listed = run("git", "ls-files", "native", "packer/demo_model", "templates")
    index = "packer/releases/llamapack-engines.json"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {f"packer/data/{name}" for name in listed.stdout.split()} <= set(names)
        assert len([name for name in names if name.endswith("demo.gguf")]) == 1
        pinned = archive.read(index)
    assert pinned == (release / "assets" / "llamapack-engines.json").read_bytes()
    assert not (REPOSITORY / index).exists()


def test_a_second_release_elsewhere_has_the_same_hashes(release: Path, tmp_path: Path) -> None:
    second = run_release(tmp_path / "another folder", TZ="Pacific/Auckland", LC_ALL="C.UTF-8")
    for name in ("assets", "hub/demo", "wheels"):
        sums = [(dist / name / "SHA256SUMS").read_text() for dist in (release, second)]
        assert sums[0] == sums[1]
        run("sha256sum", "--quiet", "-c", "SHA256SUMS", cwd=second / name)


def test_what_is_to_be_published_is_checked_first(release: Path, tmp_path: Path) -> None:
    """The commands for a sound release; none for a damaged one."""
    copy = tmp_path / "dist"
    shutil.copytree(release, copy)
    # A checkout with changes makes releases for trying out, which are not published.
    for path in copy.rglob("*.intoto.json"):
        document = json.loads(path.read_bytes())
        document["predicate"]["buildDefinition"]["internalParameters"]["modified"] = False
        path.write_text(json.dumps(document))
    for folder in (copy / "assets", copy / "wheels", copy / "hub" / "demo"):
        checksums.write(folder)
    words = ("ci.release.publish", copy, "--tag", "v1", "--hub", "demo=org/demo", "--pypi")
    words += ("--dry-run",)
    upload, hub, wheels = run(sys.executable, "-m", *words).stdout.splitlines()
    assert upload.startswith("gh release upload v1 ")
    assert hub == f"hf upload org/demo {copy}/hub/demo ."
    assert wheels.startswith("twine upload --non-interactive ")
    assert f"{copy}/wheels/llamapack-0.1.0-py3-none-any.whl" in wheels
    with (copy / "hub" / "demo" / "demo.llamafile").open("r+b") as file:
        file.write(b"x")
    done = run(sys.executable, "-m", *words, status=1)
    assert done.stdout == ""
    assert "is not as it was made" in done.stderr


def test_what_is_there_is_not_overwritten(release: Path) -> None:
    done = run(sys.executable, "-m", "ci.release", "demo", "-o", release, status=1)
    assert "is not empty" in done.stderr
