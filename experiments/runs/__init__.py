"""The run folder and its files: config, scores, checkpoints, exports."""
