"""The parts that critic augmentations are made of: matrices, resampling, filters."""
