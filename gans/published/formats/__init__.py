"""Formats of published weights: which networks a file holds, and the settings that build them here."""
