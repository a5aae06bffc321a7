"""What failed: where it lies, what the transform says of it now, and what becomes of it."""
