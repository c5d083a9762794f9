"""Tools for a trained generator: latent moves, projection, translation, ONNX."""
