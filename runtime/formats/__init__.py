"""Readers of the formats in a bundle: ZIP, GGUF, `.args`, parts, SHA-256 lists, JSON."""

__all__ = [
    "args_file",
    "bundle",
    "data_args",
    "file_stream",
    "gguf_header",
    "json_input",
    "judged_options",
    "model_facts",
    "parts",
    "sha256_file",
    "shards",
    "sizes",
    "undo_file",
    "unfinished",
    "weights",
    "zip_directory",
]
"""Modules that other packages may use."""
