"""Parts that metrics share: the contract, feature statistics, batches kept until they are asked for."""
