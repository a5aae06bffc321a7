"""The lake's Hive partition of a row."""


def date_partition(changed_at: str) -> dict[str, str]:
    """Return the partition of a row: the UTC day of its change.

    >>> date_partition("2026-11-23 10:15:30.123")
    {'dt': '2026-11-23'}
    """
    return {"dt": changed_at[:10]}
