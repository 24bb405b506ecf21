"""The one time stamp of a build: `SOURCE_DATE_EPOCH` (https://reproducible-builds.org)."""

from __future__ import annotations

import os

from runtime.errors import InputError

VARIABLE = "SOURCE_DATE_EPOCH"

ZIP_BEGINS = 315532800  # 1980-01-01 00:00:00 UTC, the earliest time that ZIP can state


def source_date_epoch() -> int:
    """Seconds since 1970 UTC that members are stamped with; 1980-01-01 if the variable is unset.
    Raises InputError if the variable is not a number."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return ZIP_BEGINS
    if not (text.isascii() and text.isdecimal()):
        raise InputError(
            f"{VARIABLE} is {text!r}, not a number of seconds", f"Use `{VARIABLE}=$(date +%s)`."
        )
    return int(text)
