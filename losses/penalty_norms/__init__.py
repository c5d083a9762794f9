"""Penalty norms: every file beside this one says what is asked of gradient norms (`--penalty-norm NAME`)."""
