"""Diagnosis of a run from its folder: one rule for each known fault, with the paper behind it."""
