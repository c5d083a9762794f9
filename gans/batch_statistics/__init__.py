"""Minibatch statistics: every file beside this one is a layer of critics (`--minibatch-statistic NAME`)."""
