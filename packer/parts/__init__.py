"""Bundles in parts: written, split, checked, joined."""
