"""Schedules: every file beside this one falls from 1 to 0 over a run (`--lr-schedule NAME`)."""
