"""The command `pack`, from a request to the files of a bundle."""

__all__ = ["make"]  # modules that other packages may use
