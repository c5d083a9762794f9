"""Experiments beside each other: read, grouped, tested, shown."""
