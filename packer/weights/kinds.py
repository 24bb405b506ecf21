"""Refuses weights in the place of others: an adapter as the model, a model as its projector.

The engine would refuse them too, but only when the file is started, after all was copied and sent.
"""

from __future__ import annotations

from packer.io.sources import WeightsSource
from runtime.errors import InputError
from runtime.formats.gguf_header import Header
from runtime.formats.model_facts import ADAPTER, MODEL, PROJECTOR, kind_of

_TITLES = {
    MODEL: "a model",
    ADAPTER: "an adapter (LoRA)",
    PROJECTOR: "a projector (mmproj)",
    "imatrix": "an importance matrix",
}
_TIPS = {
    MODEL: "Name it as MODEL.",
    ADAPTER: "Name it with `--lora`, with the model that it was trained for.",
    PROJECTOR: "Name it with `--mmproj`, with the model that it belongs to.",
    "imatrix": "Name it with `--imatrix`, with `--quant`.",
}


def check_kind(weights: WeightsSource, header: Header, wanted: str) -> None:
    """See that `weights`, which have this header, are of the kind `wanted`.

    Raises:
        InputError: they are something else.
    """
    kind = kind_of(header)
    # Engines load what calls itself by another name as a model.
    if kind == wanted or (wanted == MODEL and kind not in _TITLES):
        return
    found = _TITLES.get(kind, f"of kind {kind}")
    raise InputError(
        f"{weights} is {found}, not {_TITLES[wanted]}",
        _TIPS.get(kind, "Examine it with `llamapack inspect`."),
    )
