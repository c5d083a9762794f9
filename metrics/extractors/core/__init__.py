"""Parts that feature extractors share: the base class, weights, resizing."""
