"""Layers that architectures share: norms, resampling, equalized and modulated weights."""
