"""What is said about a model: its card, licences and sampling, read from its files and written for bundles."""
