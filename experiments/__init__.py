"""The laboratory: settings, data, training, checkpoints, samples and their run folders."""
