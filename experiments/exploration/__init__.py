"""Exploration of trained generators by hand: a page in the browser, and the pictures that it shows."""
