"""What accompanies a model: its card, its licences, and how its makers want it to be sampled."""
