"""What is wrong with a run, read from its folder: one rule for each known fault, with the paper behind it."""
