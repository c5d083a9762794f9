"""Tools that move in a generator's space of latents, whatever its architecture."""
