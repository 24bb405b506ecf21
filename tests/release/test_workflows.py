"""The workflows of GitHub Actions: sound by GitHub's schema, and nothing but calls of `ci/`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.repository import REPOSITORY
from releases import run

from ci.reproduction import __main__ as reproduction
from packer.engines.targets import TARGETS

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
FORMS = REPOSITORY / ".github" / "ISSUE_TEMPLATE"

_SCRIPT = re.compile(
    r"(sh (?P<file>ci/\S+)"
    r"|(\.venv/bin/)?python -m (?P<module>ci\.[\w.]+)"
    r"|\.venv/bin/llamapack (engine|pack|verify)"
    r"|python -m pip install --require-hashes -r ci/locks/requirements\.lock"
    r'|git config --global --add safe\.directory "\$GITHUB_WORKSPACE"'
    r'|gh release view "\$GITHUB_REF_NAME" \|\| gh release create "\$GITHUB_REF_NAME" '
    r'|echo "matrix=\$\(python -m ci\.release\.matrix\)" >> "\$GITHUB_OUTPUT"$'
    r'|echo "names=\$\(sh ci/fuzz --list --json\)" >> "\$GITHUB_OUTPUT"$)'
)


def steps_of(jobs: dict[str, Any]) -> list[dict[str, str]]:
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("workflows", WORKFLOWS),
        ("issue-config", [FORMS / "config.yml"]),
        ("issue-forms", sorted({*FORMS.glob("*.yml")} - {FORMS / "config.yml"})),
    ],
)
def test_the_schema_accepts(kind: str, paths: list[Path]) -> None:
    assert paths
    words = ["check_jsonschema", "--builtin-schema", f"vendor.github-{kind}", *paths]
    done = run(sys.executable, "-m", *words, status=None)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_script_that_runs_on_a_laptop(path: Path) -> None:
    for step in steps_of(yaml.safe_load(path.read_text())["jobs"]):
        if "run" not in step:
            assert step["uses"].startswith("actions/"), step
            continue
        for line in step["run"].splitlines():
            found = _SCRIPT.match(line)
            assert found, line
            if file := found["file"]:
                assert (REPOSITORY / file).is_file(), line
            if module := found["module"]:
                place = REPOSITORY / module.replace(".", "/")
                assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_time_limit(path: Path) -> None:
    for name, job in yaml.safe_load(path.read_text())["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 360, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_variables_of_ours_are_read_somewhere(path: Path) -> None:
    """Under a wrong name a workflow would leave out what it is there for."""
    code = "".join(
        file.read_text() for folder in ("ci", "packer", "tests")
        for file in (REPOSITORY / folder).rglob("*.py") if file != Path(__file__)
    )  # fmt: skip
    for name in set(re.findall(r"LLAMAPACK_\w+", path.read_text())):
        assert f'"{name}"' in code, name


def test_everything_is_reproduced_at_night() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "nightly.yml").read_text()
    steps = steps_of(yaml.safe_load(text)["jobs"])
    runs = [line for step in steps for line in step.get("run", "").splitlines()]
    reproduced = [word for line in runs if "ci/reproduce" in line for word in line.split()[2:]]
    alone = [thing for thing in reproduction.EVERYTHING if thing not in TARGETS]
    assert " ".join(reproduced) == f"${{{{ matrix.target }}}} {' '.join(alone)}"


def test_the_matrix_has_all_targets_with_the_keys_of_their_engines() -> None:
    # Without any package installed, as on a fresh runner.
    done = run(sys.executable, "-S", "-m", "ci.release.matrix")
    rows = json.loads(done.stdout)["include"]
    assert [row["target"] for row in rows] == list(TARGETS)
    assert all(len(row["key"]) == 64 for row in rows)
