"""Runs published numbers again and says whether they were reached."""
