"""Status: the state of each part of the pipeline, and the counts of each hop."""
