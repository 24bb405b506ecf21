"""Model cards: the README.md that a bundle is published with, read from the bundle."""
