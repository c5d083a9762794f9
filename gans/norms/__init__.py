"""Critic norms: every file beside this one is a normalization of the critic (`--critic-norm NAME`)."""
