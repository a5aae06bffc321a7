"""The user's MASKED, such as `{"customer.email": "hash"}`, as rules for the function."""

from typing import Any

from transform.masking import METHODS


def parse_masked(masked: object) -> dict[str, Any]:
    """Return the rules by attribute, nested as its maps; raise ValueError for an invalid path.

    >>> parse_masked({"customer.email": "hash", ("customer", "a.b"): "drop", "note": "drop"})
    {'customer': {'email': 'hash', 'a.b': 'drop'}, 'note': 'drop'}
    """
    if not isinstance(masked, dict):
        example = "{'customer.email': 'hash'}"
        raise ValueError(f"expected a mapping as in {example}, found {masked!r}")  # noqa: TRY004 - as documented.
    rules: dict[str, Any] = {}
    for path, method in masked.items():
        if method not in METHODS:
            raise ValueError(f"{path!r}: expected {' or '.join(METHODS)}, found {method!r}")
        _add_rule(rules, path, method)
    return rules


def _add_rule(rules: dict[str, Any], path: object, method: str) -> None:
    *maps, name = _attribute_names(path)
    for map_name in maps:
        inner = rules.setdefault(map_name, {})
        if inner in METHODS:
            raise ValueError(f"{path!r} is inside an attribute that is masked as a whole")
        rules = inner
    if name in rules:
        raise ValueError(f"{path!r} is masked twice, or another path is inside it")
    rules[name] = method


def _attribute_names(path: object) -> list[str]:
    """Return the names on a path: a text with dots, or a tuple if a name contains a dot itself."""
    names = path.split(".") if isinstance(path, str) else path
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"expected a path as in 'customer.email', found {path!r}")
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{path!r}: expected names of attributes, none of them empty")
    return list(names)
