"""GPU modules: ggml backends that the engine loads where the machine has such a card."""
