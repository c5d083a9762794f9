"""Evaluates generators: image sets through a feature extractor into metrics, with a record of how."""
