"""Critic augmentations: every file beside this one changes what the critic sees (`--critic-augment NAME`)."""
