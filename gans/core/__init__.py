"""What architectures share: players, games, the average of the generator, and building blocks."""
