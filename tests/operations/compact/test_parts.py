"""Parts of the copy: which of them are gathered."""

import pytest

from operations.lake_copy.parts import Part, smallest_within


@pytest.mark.parametrize(
    ("limit", "gathered"), [(10, ""), (11, "b"), (40, "bc"), (76, "bca"), (1 << 30, "bcad")]
)
def test_only_what_is_small_together_is_gathered(limit: int, gathered: str) -> None:
    """Regression: eight parts of 45 MB became one, by a statement that held a year of images."""
    parts = [Part(name, {}) for name in "abcd"]
    sizes = {"a": 45, "b": 10, "c": 20, "d": 50}
    assert "".join(part.name for part in smallest_within(parts, sizes, limit)) == gathered
