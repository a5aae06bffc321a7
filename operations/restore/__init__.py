"""Restore: brings back deleted and damaged objects of the versioned lake."""
