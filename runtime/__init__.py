"""Reads bundles and starts engines. Knows nothing of the packer."""
