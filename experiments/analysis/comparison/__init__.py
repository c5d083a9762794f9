"""Comparison of runs by one score: grouped by settings, tested, shown as a table or an HTML page."""
