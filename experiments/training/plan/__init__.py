"""Plan of a run without running it: memory, operations, time, disk, network, and what fits into limits."""
