"""Sweeps: many runs from one command, interrupted and resumed as a whole."""
