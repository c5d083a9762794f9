"""Configuration: resolves flags and files into the settings of a run, and these into objects."""
