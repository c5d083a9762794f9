"""Parts that feature extractors share: the contract, weights, resizing."""
