"""How much memory a start will take, from the header of the model, and how much there is."""
