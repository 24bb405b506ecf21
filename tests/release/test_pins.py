"""`ci/bump`: new values in the pins' text, and what changed in llama.cpp's flags."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.pins import hooks
from ci.pins.flags import Flag, changes, flags
from ci.pins.toml_text import replaced, with_section
from packer.engines import layout, native, pins, source

SMALL = """\
    add_opt(common_arg(
        {"-c", "--ctx-size"}, "N",
        string_format("size of the context (default: %d)", params.n_ctx),
        [](common_params & params, int value) {
            params.n_ctx = value;
        }
    ).set_env("LLAMA_ARG_CTX_SIZE"));
    add_opt(common_arg(
        {"--perf"},
        {"--no-perf"},
        "timings \\"inside\\"",
        [](common_params & params, bool value) {
            params.no_perf = !value;
        }
    ).set_examples({LLAMA_EXAMPLE_SERVER, LLAMA_EXAMPLE_CLI}));
"""


def table(folder: Path, text: str) -> dict[str, Flag]:
    (folder / "common").mkdir(exist_ok=True)
    (folder / "common" / "arg.cpp").write_text(text)
    return flags(folder)


def test_names_texts_and_programs(tmp_path: Path) -> None:
    found = table(tmp_path, SMALL)
    assert set(found) == {"-c", "--ctx-size", "--perf", "--no-perf"}
    assert found["-c"].text == "N size of the context (default: %d)"
    assert found["--no-perf"].examples == ("LLAMA_EXAMPLE_CLI", "LLAMA_EXAMPLE_SERVER")


def test_what_changed(tmp_path: Path) -> None:
    old = table(tmp_path, SMALL)
    assert changes(old, old) == []
    text = SMALL.replace('"-c", ', "").replace("timings", "times").replace("--perf", "--measure")
    new = table(tmp_path, text)
    assert [line.split("  ")[0] for line in changes(old, new)] == [
        "- -c", "+ --measure", "~ --no-perf", "- --perf",
    ]  # fmt: skip
    new = table(tmp_path, SMALL.replace(", LLAMA_EXAMPLE_CLI", ""))
    assert changes(old, new)[0] == "~ --no-perf  for server  (was: cli, server)"


def test_the_table_of_the_pinned_release() -> None:
    release = pins.load(native.directory()).release
    place = layout.source() / f"llama.cpp-{release}"
    if not place.is_dir():
        pytest.fail("llama.cpp's sources are missing; run `llamapack engine build`")
    found = flags(place)
    assert len(found) > 300
    assert {"-m", "--model", "-ngl", "--no-display-prompt", "--port"} <= set(found)
    assert all(name.startswith("-") for name in found)


HOOKS = """
set_source_files_properties("${ggml_src}/ggml.c" DIRECTORY "${ggml_src}"
    PROPERTIES COMPILE_DEFINITIONS open_file=open_member)
set_property(SOURCE "${LLAMA_SOURCE}/common/chat.cpp" "${LLAMA_SOURCE}/common/log.cpp"
    APPEND PROPERTY COMPILE_OPTIONS "-include;x.h")
"""


def test_what_hooks_need_of_a_release(tmp_path: Path) -> None:
    """CMake itself says nothing of a file without use: the engine would lack the hook."""
    assert hooks.missing(native.directory(), source.folder(pins.load(native.directory()))) == []
    for folder in ("native/cmake", "ggml/src", "common"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "native/cmake/some-hooks.cmake").write_text(HOOKS)
    (tmp_path / "ggml/src/ggml.c").write_text("FILE * open_files(void);")
    (tmp_path / "common/chat.cpp").touch()
    lacks = ["`open_file` in `ggml.c`", "`common/log.cpp`"]
    assert hooks.missing(tmp_path / "native", tmp_path) == lacks
    (tmp_path / "common/log.cpp").touch()
    (tmp_path / "ggml/src/impl.h").write_text("#define OPEN \\\n    FILE * open_file(void);\n")
    assert hooks.missing(tmp_path / "native", tmp_path) == []


def test_comments_and_order_stay() -> None:
    text = (native.directory() / "pins.toml").read_text()
    new = replaced(text, "llama-cpp", "release", "v99.0.0")
    assert tomllib.loads(new)["llama-cpp"]["release"] == "v99.0.0"
    old = tomllib.loads(text)["llama-cpp"]["release"]
    assert new.replace("v99.0.0", old) == text


def test_another_kind_of_source() -> None:
    text = (native.directory() / "pins.toml").read_text()
    values = {"kind": "git", "url": "/src/llama.cpp", "commit": "0" * 40}
    new = with_section(text, "source", values)
    assert tomllib.loads(new)["source"] == values
    assert [line for line in new.splitlines() if line[:1] == "#"] == [
        line for line in text.splitlines() if line[:1] == "#"
    ]
    assert with_section(new, "source", tomllib.loads(text)["source"]) == text
    with pytest.raises(KeyError):
        with_section(text, "sources", {})


def test_a_key_is_changed_in_its_own_section() -> None:
    text = '[a]\nx = "1"\n[b.c]\nx = 2 # why\n'
    assert replaced(text, "b.c", "x", 3) == '[a]\nx = "1"\n[b.c]\nx = 3 # why\n'
    for section, key in (("a", "y"), ("c", "x")):
        with pytest.raises(KeyError):
            replaced(text, section, key, 1)


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_text_can_be_a_value(value: str) -> None:
    text = '[a]\nx = "1"\n'
    if "\x7f" not in value:
        assert tomllib.loads(replaced(text, "a", "x", value))["a"]["x"] == value
