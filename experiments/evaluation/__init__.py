"""Evaluation of generators: sample sets through a feature extractor into metrics, with their provenance."""
