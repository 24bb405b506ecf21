"""What a bundle says about itself: its description, verification and provenance."""
