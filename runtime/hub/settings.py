"""Settings of the Hub, from the environment variables that `huggingface_hub` documents."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.user_text import decoded

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = {"1", "on", "yes", "true"}


@dataclass(frozen=True)
class HubSettings:
    """Where models come from and where they are kept."""

    endpoint: str
    """Address of the Hub, without a slash at the end."""
    token: str | None
    """The user's secret; goes to `endpoint` only, and into no message."""
    cache: Path
    """The folder of `huggingface_hub` for models."""
    offline: bool
    xet: bool = False
    """Whether Xet is preferred to plain HTTP."""

    def __repr__(self) -> str:
        return f"HubSettings({self.endpoint!r}, {self.cache!r}, offline={self.offline})"


def settings(environment: Mapping[str, str] = os.environ, *, offline: bool = False) -> HubSettings:
    """Read the variables; `offline` forbids the network whatever they say."""
    home = _path(
        environment.get("HF_HOME")
        or os.path.join(environment.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    )
    endpoint = (environment.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        raise InputError(
            f"HF_ENDPOINT is {endpoint!r}, which is not an address",
            "Begin it with `https://`, or `http://` for a mirror of your own.",
        )
    cache = environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE")
    return HubSettings(
        endpoint=endpoint,
        token=_token(environment, home),
        cache=_path(cache) if cache else home / "hub",
        offline=offline or _true(environment, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
        xet=_true(environment, "HF_XET_HIGH_PERFORMANCE"),
    )


def _token(environment: Mapping[str, str], home: Path) -> str | None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if token := _clean(environment.get(name)):
            return token
    if _true(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return None
    path = environment.get("HF_TOKEN_PATH")
    try:
        # `hf auth login` writes it.
        return _clean(decoded((_path(path) if path else home / "token").read_bytes()))
    except (OSError, UnicodeDecodeError):
        return None


def _clean(token: str | None) -> str | None:
    """The token without the line end that files and pasted variables have."""
    return (token or "").replace("\r", "").replace("\n", "").strip() or None


def _path(text: str) -> Path:
    return Path(os.path.expandvars(text)).expanduser().absolute()


def _true(environment: Mapping[str, str], *names: str) -> bool:
    return any(environment.get(name, "").strip().lower() in _TRUE for name in names)
