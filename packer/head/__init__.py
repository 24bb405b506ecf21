"""The head of a bundle: shell script, ELF headers and start stubs in front of the ZIP."""
