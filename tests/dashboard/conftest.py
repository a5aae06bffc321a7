"""A browser and a page of generated orders, which the tests of the dashboard share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sales.order_lifecycle import OrderChange, generate_changes
from tests.support.chromium import Tab, open_tab
from tests.support.dashboard_page import PLAN, write_page


@pytest.fixture(scope="package")
def tab() -> Iterator[Tab]:
    """A browser tab with a desktop screen."""
    with open_tab() as tab:
        tab.resize(1280, 900)
        yield tab


@pytest.fixture(scope="package")
def history() -> list[OrderChange]:
    """The changes that the page shows."""
    return generate_changes(PLAN)


@pytest.fixture(scope="package")
def page(history: list[OrderChange], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of generated orders."""
    return write_page(tmp_path_factory.mktemp("page") / "page.html", history)
