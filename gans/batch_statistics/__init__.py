"""Batch statistics: every file beside this one shows a critic how alike a batch is (`--minibatch-statistic
NAME`)."""
