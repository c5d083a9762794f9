"""Penalty norms: every file beside this one penalizes gradient norms off a target (`--penalty-norm NAME`)."""
