"""Presets: published configurations of the architectures, as data."""
