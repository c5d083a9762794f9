"""Contracts and parts that losses share: adversarial forms, gradient penalties, regularizers."""
