"""Judging: image sets through an extractor into metrics, with a record of how each score was made."""
