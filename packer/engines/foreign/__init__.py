"""Programs of others that read their own ZIP: what they are, and weights packed into them."""
