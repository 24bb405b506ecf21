"""The command `pack`, from a request to the files of a bundle."""
