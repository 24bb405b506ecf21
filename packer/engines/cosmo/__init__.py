"""Builds runtimes with Cosmopolitan's tools: one fat APE program for all systems."""
