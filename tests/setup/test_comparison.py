"""Comparison of descriptions: what matches, and the differences in words."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from setup.lib.comparison import differs, find_differences, matches_desired, take_noted

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.sampled_from(["", "a", "b"]))
DESCRIPTIONS = st.recursive(
    SCALARS,
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.sampled_from("KNV"), values, max_size=3)
    ),
    max_leaves=8,
)


# Descriptions are of any shape.
def contains(desired: Any, actual: Any) -> bool:
    """Model: whether the actual description contains the desired one."""
    if isinstance(desired, Mapping):
        members = {} if actual is None else actual
        return isinstance(members, Mapping) and all(
            contains(value, members.get(key)) for key, value in desired.items()
        )
    if desired is None or desired in ("", []):
        return not actual
    if isinstance(desired, list):
        return isinstance(actual, list) and all(
            any(contains(member, other) for other in actual) for member in desired
        )
    return bool(desired == actual)


@given(DESCRIPTIONS, DESCRIPTIONS)
def test_a_description_without_differences_matches(desired: Any, actual: Any) -> None:
    assert matches_desired(desired, actual) == contains(desired, actual)
    assert bool(take_noted()) != contains(desired, actual)


@given(DESCRIPTIONS)
def test_a_description_contains_itself(description: Any) -> None:
    assert list(find_differences(description, description)) == []


def test_only_the_last_comparison_counts() -> None:
    assert differs("Size", 1, 2)
    assert not differs("Status", "on", "on")
    assert take_noted() == ""
    assert differs("Size", 1, 2)
    assert take_noted() == "Size: expected 1, found 2"
    assert take_noted() == ""


def test_the_difference_of_long_texts_is_shown() -> None:
    query = "SELECT order_id\n" * 100
    (difference,) = find_differences({"Sql": f"{query}LIMIT 1"}, {"Sql": f"{query}LIMIT 2"})
    assert str(difference) == 'Sql: expected "…id\\nLIMIT 1", found "…id\\nLIMIT 2"'


def test_many_differences_are_counted() -> None:
    assert not matches_desired(dict.fromkeys("ABCDE", 1), {"A": 2, "B": 2})
    assert take_noted().endswith("; C: expected 1, found nothing; and 2 more")
