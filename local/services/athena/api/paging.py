"""Pages of a list, as Athena's List calls give them."""

import re
from collections.abc import Sequence
from typing import Any

from local.services.athena.api.workgroups import Params, invalid

LONGEST = 50


def number(token: str) -> int:
    """Return the place that a token stands for."""
    if not re.fullmatch(r"[0-9]{1,18}", token):
        raise invalid(f"NextToken {token} is not valid")
    return int(token)


def paged(name: str, items: Sequence[Any], params: Params) -> Params:
    """Return the page of a list that a call asks for."""
    start = number(params.get("NextToken", "0"))
    end = start + min(LONGEST, params.get("MaxResults", LONGEST))
    more = {"NextToken": str(end)} if end < len(items) else {}
    return {name: list(items[start:end]), **more}
