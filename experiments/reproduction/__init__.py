"""Published numbers, run again."""
