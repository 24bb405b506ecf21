"""A model's card, licences and sampling: read from its files, written for bundles."""
