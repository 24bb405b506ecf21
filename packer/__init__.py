"""Makes and edits bundles: one file with engines, weights and metadata that runs."""

__version__ = "0.1.0"
