"""Chat templates: where they come from, how an engine renders them, and what may be wrong."""
