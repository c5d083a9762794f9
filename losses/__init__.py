"""Losses of both players: adversarial forms, gradient penalties, regularizers, and recipes of them.

Nothing here imports from the other rooms, and this file imports nothing at all, so that names can be
listed without loading torch.
"""
