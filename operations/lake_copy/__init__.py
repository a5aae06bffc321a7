"""Copy of the lake: its days and parts, and the statements that write, gather and compare it."""
