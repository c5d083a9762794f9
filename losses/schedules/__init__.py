"""Schedules: every file beside this one is a way from 1 to 0 over a run (`--lr-schedule NAME`)."""
