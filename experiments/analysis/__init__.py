"""Runs read side by side, and what is wrong with one of them."""
