"""`pack --consume`: a GGUF becomes the bundle without being copied."""
