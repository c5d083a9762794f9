"""Learning rates found by trying: the range test for both players."""
