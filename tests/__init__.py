"""A package, because installed ones bring a `tests` of their own, which processes started here would find."""
