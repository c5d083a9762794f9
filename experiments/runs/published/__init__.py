"""Published weights: read from their authors' files into a run folder, and written under their names."""
