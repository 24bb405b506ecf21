"""Reads bundles and starts engines. Knows nothing of the packer.

import runtime

facts = runtime.open("m.llamafile")          # architecture, context length, licence, …
with runtime.serve("m.llamafile") as server: # OpenAI-compatible, at server.base_url
    …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.api import Server as Server
    from runtime.api import open as open
    from runtime.api import serve as serve
    from runtime.errors import InputError as InputError
    from runtime.formats.model_facts import ModelFacts as ModelFacts

_PLACES = {
    "InputError": "runtime.errors",
    "ModelFacts": "runtime.formats.model_facts",
    "Server": "runtime.api",
    "open": "runtime.api",
    "serve": "runtime.api",
}


def __getattr__(name: str) -> Any:
    # Not imported before they are used: the packer's quick commands read bundles, too.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
