"""The contract of augmentations."""
