"""Replay: sends failed records again, from error objects and from dead letters."""
