"""What several metrics share: statistics of feature vectors, batches kept until they are asked for."""
