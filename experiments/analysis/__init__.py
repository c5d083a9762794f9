"""Analysis of runs: comparison of several of them, and diagnosis of one."""
