"""Changes bundles, in place or by a new file, so that a crash at any moment loses nothing."""
