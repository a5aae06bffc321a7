"""Digests: the same function of a text in Python and in Athena's SQL."""

from hashlib import sha256

DIGEST_SQL = "lower(to_hex(sha256(to_utf8({}))))"


def digest(text: str) -> str:
    """Return the SHA-256 of a text, equal to what DIGEST_SQL computes in Athena."""
    return sha256(text.encode()).hexdigest()
