"""Paging of the List operations."""

import re
from collections.abc import Sequence
from typing import Any

from local.services.athena.api.workgroups import Params, invalid

MAX_PAGE_ITEMS = 50


def parse_token(token: str) -> int:
    """Return the index or offset that a NextToken stands for."""
    if not re.fullmatch(r"[0-9]{1,18}", token):
        raise invalid(f"NextToken {token} is not valid")
    return int(token)


def paginate(name: str, items: Sequence[Any], params: Params) -> Params:
    """Return the requested page of a list, with the NextToken of the next one."""
    start = parse_token(params.get("NextToken", "0"))
    end = start + min(MAX_PAGE_ITEMS, params.get("MaxResults", MAX_PAGE_ITEMS))
    page: Params = {name: list(items[start:end])}
    if end < len(items):
        page["NextToken"] = str(end)
    return page
