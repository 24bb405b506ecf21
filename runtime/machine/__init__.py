"""The machine that something is to run on: system, processor, cache folders, heads of files."""
