"""The whole release of the demo recipe by one command, looked at with other programs."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from releases import REPOSITORY, run_release

pytestmark = pytest.mark.timeout(1800)


def test_sha256sum_accepts_all_lists(release: Path) -> None:
    lists = [*release.rglob("SHA256SUMS"), *release.rglob("*.sha256")]
    assert len(lists) == 3
    for path in lists:
        words = ["sha256sum", "--strict", "--quiet", "-c", path.name]
        subprocess.run(words, cwd=path.parent, check=True)
    for folder in (release / "assets", release / "hub" / "demo"):
        listed = (folder / "SHA256SUMS").read_text().splitlines()
        names = {line.split("  ", 1)[1] for line in listed}
        assert names == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}


def test_verify_accepts_the_bundle_with_its_provenance(release: Path) -> None:
    words = ["verify", "demo.llamafile", "--provenance", "demo.intoto.json"]
    done = subprocess.run(
        [sys.executable, "-m", "packer", *words],
        cwd=release / "hub" / "demo",
        env={"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


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
    sums = subprocess.run(
        ["sha256sum", REPOSITORY / "packer" / "demo_model" / "demo.gguf"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert weights["hashes"] == [{"alg": "SHA-256", "content": sums.stdout.split()[0]}]
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
    listed = subprocess.run(
        ["git", "ls-files", "native", "packer/demo_model", "templates"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
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
    for name in ("assets", "hub/demo"):
        sums = [(dist / name / "SHA256SUMS").read_text() for dist in (release, second)]
        assert sums[0] == sums[1]
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=second / name, check=True)


def test_what_is_to_be_published_is_checked_first(release: Path, tmp_path: Path) -> None:
    """The commands for a sound release; none for a damaged one."""
    copy = tmp_path / "dist"
    subprocess.run(["cp", "-r", release, copy], check=True)
    # A checkout with changes makes releases for trying out, which are not published.
    for path in copy.rglob("*.intoto.json"):
        document = json.loads(path.read_bytes())
        document["predicate"]["buildDefinition"]["internalParameters"]["modified"] = False
        path.write_text(json.dumps(document))
    _sealed(copy)
    done = _publish(copy)
    assert done.returncode == 0, done.stderr
    upload, hub = done.stdout.splitlines()
    assert upload.startswith("gh release upload v1 ")
    assert hub == f"hf upload org/demo {copy}/hub/demo ."
    with (copy / "hub" / "demo" / "demo.llamafile").open("r+b") as file:
        file.write(b"x")
    done = _publish(copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not as it was made" in done.stderr


def _sealed(dist: Path) -> None:
    from ci.release import checksums

    for folder in (dist / "assets", dist / "hub" / "demo"):
        checksums.write(folder)


def _publish(dist: Path) -> subprocess.CompletedProcess[str]:
    words = [str(dist), "--tag", "v1", "--hub", "demo=org/demo", "--dry-run"]
    return subprocess.run(
        [sys.executable, "-m", "ci.release.publish", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_there_is_not_overwritten(release: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ci.release", "demo", "-o", str(release)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not empty" in done.stderr
