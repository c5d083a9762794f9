"""Parts that architectures share: players, games, network contracts, the generator's EMA."""
