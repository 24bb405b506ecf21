"""Whether llama.cpp's sources have what the hooks rely on, as `native/`'s CMake files state it."""

from __future__ import annotations

import re
from pathlib import Path

_PROPERTIES = re.compile(r"set_(?:source_files_properties|property)\(([^()]*)\)")
_SOURCE = re.compile(r'"\$\{(LLAMA_SOURCE|ggml_src)\}/([\w./-]+\.\w+)"')
_RENAMED = re.compile(r"\b(\w+)=\w+")
_MACRO = re.compile(r"^# *define (?:.*\\\n)*.*", re.MULTILINE)
_PLACES = {"LLAMA_SOURCE": "", "ggml_src": "ggml/src/"}


def missing(native: Path, llama_cpp: Path) -> list[str]:
    """What these sources lack: files that are compiled with a hook, and functions that a definition
    renames in them. Sources that lack nothing may still not fit: only a build says so."""
    headers = (path.read_text(encoding="utf-8") for path in llama_cpp.rglob("*.h"))
    macros = "\n".join(macro for text in headers for macro in _MACRO.findall(text))
    lacks = []
    for path in sorted((native / "cmake").glob("*-hooks.cmake")):
        for call in _PROPERTIES.findall(path.read_text(encoding="utf-8")):
            for variable, name in _SOURCE.findall(call):
                source = llama_cpp / (_PLACES[variable] + name)
                if not source.is_file():
                    lacks.append(f"`{_PLACES[variable]}{name}`")
                    continue
                words = set(re.findall(r"\w+", source.read_text(encoding="utf-8") + macros))
                lacks += [f"`{f}` in `{name}`" for f in _RENAMED.findall(call) if f not in words]
    return lacks
