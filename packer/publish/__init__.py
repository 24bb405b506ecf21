"""Puts a bundle into a repository of the Hub, with its card, checksums and licence."""
