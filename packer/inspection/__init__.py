"""What a bundle says about itself: its description, verification and provenance."""

__all__ = ["provenance", "summary", "verification"]  # modules that other packages may use
