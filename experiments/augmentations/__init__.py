"""Augmentations: every file beside this one is a random change of the data (`--augment NAME`)."""
