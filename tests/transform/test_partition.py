"""Hive's partitions: any name and value, there and back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import texts
from transform.errors import BadRecord
from transform.partition import (
    DEFAULT,
    date_partition,
    escaped,
    partition_path,
    partition_values,
    unescaped,
)

VALUES = st.none() | texts().filter(bool)


@given(st.dictionaries(texts().filter(bool), VALUES, max_size=4))
@example({"dt": DEFAULT})
@example({"a=b/c": "%2F", "%": "%25"})
@example({"a": "ÿ%C3"})
def test_a_partitions_path_has_an_inverse(values: dict[str, str | None]) -> None:
    path = partition_path(values)
    assert partition_values(path) == values
    assert partition_values(path + "/") == values
    assert path.count("/") == max(len(values) - 1, 0)


@given(texts())
def test_an_escaped_text_is_one_level_of_a_path(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not set(escaped(text)) & set("/=\n\0:*?\\\"'#[]{^")


def test_hive_escapes_exactly_these() -> None:
    unsafe = [chr(code) for code in range(0x180) if escaped(chr(code)) != chr(code)]
    assert "".join(unsafe) == "".join(map(chr, range(0x20))) + "\"#%'*/:=?[\\]^{\x7f"
    assert escaped("a/b:c\n") == "a%2Fb%3Ac%0A"


def test_what_hive_would_not_escape_is_left_as_it_is() -> None:
    assert unescaped("%2f%2F%zz%") == "//%zz%"
    assert partition_values("a=b=c//d=e") == {"a": "b=c", "d": "e"}


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_hives_default_partition(value: str | None) -> None:
    assert partition_path({"dt": value}) == "dt=__HIVE_DEFAULT_PARTITION__"
    assert partition_values("dt=__HIVE_DEFAULT_PARTITION__") == {"dt": None}


def test_a_value_that_looks_like_the_default_partition_stays_a_value() -> None:
    assert partition_path({"dt": DEFAULT}) == "dt=%5F_HIVE_DEFAULT_PARTITION__"


def test_what_is_no_partition_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="partition: expected name=value, found another text"):
        partition_values("dt=2026-11-23/orders")


def test_a_row_lies_in_the_day_of_its_change() -> None:
    assert date_partition("2026-11-23 10:15:30.000") == {"dt": "2026-11-23"}
    assert partition_path(date_partition("2026-11-23 10:15:30.000")) == "dt=2026-11-23"
