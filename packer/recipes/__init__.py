"""Recipes: TOML files that say what goes into a bundle, as the flags of `pack` do."""

__all__ = ["read", "write"]  # modules that other packages may use
