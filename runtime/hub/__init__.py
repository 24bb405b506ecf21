"""Fetches weights from the Hub and from any HTTP server: resumable, verified."""
