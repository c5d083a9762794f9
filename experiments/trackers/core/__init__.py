"""The contract of trackers, and several of them as one."""
