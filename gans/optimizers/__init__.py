"""Optimizers: every file beside this one makes the optimizers of both players (`--optimizer NAME`)."""
