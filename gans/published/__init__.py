"""Tables of published names: every file beside this one has those of an architecture's networks."""
