"""Of the laboratory."""
