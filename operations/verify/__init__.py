"""Lake against table: what differs, what was lost, and what mends it."""
