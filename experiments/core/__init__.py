"""Helpers that every room may use: settings, the registry of plug-ins, files, images, seeds, errors."""
