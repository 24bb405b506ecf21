"""What bundles have in common, deflated once and then copied into each."""
