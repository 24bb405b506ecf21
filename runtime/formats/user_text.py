"""Text that people wrote: UTF-8, or UTF-16 as `>` of Windows PowerShell writes it."""

import codecs


def decoded(data: bytes, errors: str = "strict") -> str:
    """The text without the mark in front of it. Raises UnicodeDecodeError."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    return data.decode("utf-8-sig", errors)
