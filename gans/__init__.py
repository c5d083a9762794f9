"""The players and their games: every file beside this one is an architecture (`--arch NAME`).

Parts that architectures share stand in gans/core/.
"""
