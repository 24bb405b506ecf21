"""Readers of the formats in a bundle: ZIP, GGUF, `.args`, parts, SHA-256 lists, JSON."""
