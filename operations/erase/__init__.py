"""Erase: removes what the lake has of removed items, and proves that it is removed."""
