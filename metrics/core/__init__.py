"""Parts that metrics share: the contract, options, feature statistics, batches of vectors."""
