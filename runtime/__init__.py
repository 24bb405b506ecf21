"""Reads bundles and starts engines. Knows nothing of the packer.

import runtime

facts = runtime.open("m.llamafile")          # architecture, context length, licence, …
with runtime.serve("m.llamafile") as server: # OpenAI-compatible, at server.base_url
    …
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.errors import InputError as InputError
    from runtime.formats.model_facts import ModelFacts as ModelFacts
    from runtime.model import open as open
    from runtime.serving import Server as Server
    from runtime.serving import serve as serve

_PLACES = {
    "InputError": "runtime.errors",
    "ModelFacts": "runtime.formats.model_facts",
    "Server": "runtime.serving",
    "open": "runtime.model",
    "serve": "runtime.serving",
}


def __getattr__(name: str) -> Any:
    # Not imported before they are used: the packer's quick commands read bundles, too.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
