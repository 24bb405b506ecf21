"""Readers of the formats in a bundle: ZIP, GGUF, `.args`, parts, SHA-256 lists, JSON."""

__all__ = [
    "args_file",
    "bundle",
    "file_stream",
    "gguf_header",
    "json_input",
    "judged_options",
    "model_facts",
    "parts",
    "sha256_file",
    "undo_file",
    "user_text",
    "weights",
    "zip_directory",
]
"""Modules that other packages may use."""
