"""Starts engines: finds the one for a target and a host, and hands over to it."""
