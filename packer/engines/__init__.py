"""Builds engines: fetches the pinned sources, compiles them with zig, keeps the results."""
