"""What a person sees on stderr; the launcher says it in the same way."""

from runtime.console import Exit, error, note, printable, reported, show, warning

__all__ = ["Exit", "error", "note", "printable", "reported", "show", "warning"]
