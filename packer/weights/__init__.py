"""What goes into a bundle: GGUF files from disks, archives, the Hub and the web."""
