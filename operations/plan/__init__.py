"""Plan: what the pipeline costs at a load, which limit it meets first, and what settings save."""
