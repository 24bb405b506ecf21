"""Fuzzes every reader of strangers' bytes: `sh ci/fuzz`, docs/fuzzing.md."""
