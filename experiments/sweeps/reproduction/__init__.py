"""Reproduction of published numbers: runs them again, and says whether they were reached."""
