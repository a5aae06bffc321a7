"""Verify: compares the lake with the table, finds lost changes, and repairs wrong keys."""
