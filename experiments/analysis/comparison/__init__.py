"""Compares runs: one score of each, grouped by settings, tested, shown as a table or a page."""
