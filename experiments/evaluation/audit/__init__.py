"""Audit of a generator for copies of its training data and for lost modes, calibrated by planted ones."""
