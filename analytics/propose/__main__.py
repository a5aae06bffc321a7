"""Propose columns, maps of data and a view for the table, from the images in the lake.

Nothing is changed without --save. With it, the proposal is added to setup/own_table.py, and
the view of the table's current items is written into analytics/views; then run python setup.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from analytics.athena import QueryFailed, run_query
from analytics.progress import ProgressLine
from analytics.propose.attributes import MAX_ATTRIBUTES, Attribute, AttributeCollector
from analytics.propose.files import ProposedFile, own_table_file, require_no_view, save, view_file
from analytics.propose.view import (
    describe,
    readable_aliases,
    value_type,
    view_name,
    view_statement,
)
from analytics.run import explain_error, format_cost
from setup import own_table
from setup.columns import COLUMNS
from setup.lib.cli import argument_parser, exit_status, make_stdout_total
from setup.lib.errors import UserError
from setup.names import CHANGES, JSON_PATHS, TABLE, TABLE_IS_ADOPTED, VIEWS
from terminal.arguments import whole_number
from terminal.text import count, format_table
from transform import parse_image
from transform.columns import MAX_MAP_MEMBERS

IMAGES_SQL = f"""
SELECT cdc_key, cdc_new_image
FROM {CHANGES}
WHERE cdc_new_image IS NOT NULL
LIMIT {{}}"""
MAX_LABEL_LENGTH = 40


class EmptyLake(UserError):
    """The lake has no image yet."""


class InvalidImage(UserError):
    """An image in the lake is not what the transform writes."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the images hold, and the files that make it columns and a view."""

    image_count: int
    attributes: list[Attribute]
    aliases: dict[str, str]
    json_paths: list[str]
    omitted: int
    files: tuple[ProposedFile, ProposedFile]


def main() -> int:
    """Print the proposal, save it if asked to, and return the exit status."""
    args = _parse_arguments()
    make_stdout_total()
    return exit_status(partial(_run, args), name="analytics.propose")


def _run(args: argparse.Namespace) -> int:
    if args.save:
        require_no_view(view_name(TABLE))
    proposal = propose(args.images)
    print("\n".join(report_lines(proposal, args.images)))
    if args.save:
        save(proposal.files)
        print("\n".join(next_steps(proposal)))
        return 0
    for file in proposal.files:
        print(f"\n{file.path}\n\n{file.text}", end="")
    return 0


def propose(max_images: int) -> Proposal:
    """Return the proposal for the table, from at most so many images of the lake."""
    collector = AttributeCollector(JSON_PATHS)
    key_names: set[str] = set()
    image_count = 0
    for key, image in fetch_images(max_images):
        key_names = key_names or set(parse_image(key))
        add_image(collector, key, image)
        image_count += 1
    if not image_count:
        raise EmptyLake(
            "the lake has no items yet: run python -m operations.backfill, and wait two minutes"
        )
    attributes = sorted(
        collector.attributes.values(),
        key=lambda attribute: (attribute.path[0] not in key_names, attribute.path),
    )
    aliases = readable_aliases(attributes)
    json_paths = sorted(collector.json_paths - set(JSON_PATHS))
    files = propose_files(attributes, aliases, json_paths)
    return Proposal(image_count, attributes, aliases, json_paths, collector.omitted, files)


def propose_files(
    attributes: list[Attribute], aliases: dict[str, str], json_paths: list[str]
) -> tuple[ProposedFile, ProposedFile]:
    """Return setup's module with what it lacks of the attributes, and the view."""
    view = view_name(TABLE)
    described = own_table.COLUMNS.keys() if TABLE_IS_ADOPTED else COLUMNS.keys()
    columns = {
        attribute.column: describe(attribute)
        for attribute in attributes
        if attribute.column not in described
    }
    new_views = () if view in VIEWS else (view,)
    return (
        own_table_file(
            {**columns, **own_table.COLUMNS},
            (*own_table.JSON_PATHS, *json_paths),
            (*own_table.VIEWS, *new_views),
            own_table.MASKED,
        ),
        view_file(view, view_statement(view, TABLE, attributes, aliases)),
    )


def fetch_images(max_images: int) -> Iterator[tuple[str, str]]:
    """Yield key and image of rows of the lake; rows without a key are left out."""
    progress_line = ProgressLine()
    try:
        result = run_query(IMAGES_SQL.format(max_images), (), progress_line)
    except QueryFailed as error:
        raise QueryFailed(explain_error(error)) from None
    finally:
        progress_line.clear()
    print(format_cost(result.bytes_scanned), file=sys.stderr)
    for key, image in result.rows:
        yield str(key), str(image)


def add_image(collector: AttributeCollector, key: str, image: str) -> None:
    """Add an image, as the lake has it."""
    try:
        collector.add_image(parse_image(image))
    except (AttributeError, TypeError, ValueError):
        raise InvalidImage(
            f"the image of {key} is not DynamoDB JSON: run python -m operations.verify"
        ) from None


def report_lines(proposal: Proposal, max_images: int) -> Iterator[str]:
    """Yield what the images hold, and what the proposal leaves out."""
    images = count(proposal.image_count, "image")
    yield f"{images} of table {TABLE}: {count(len(proposal.attributes), 'attribute')}"
    rows = [("attribute", "values by type", "type in the view", "column in the view")]
    for attribute in proposal.attributes:
        counts = sorted(attribute.types.items(), key=lambda entry: (-entry[1], entry[0]))
        values = ", ".join(f"{tag} {number}" for tag, number in counts)
        alias = proposal.aliases[attribute.column]
        rows.append((attribute.label[:MAX_LABEL_LENGTH], values, value_type(attribute), alias))
    yield format_table(rows)
    for path in proposal.json_paths:
        yield f"{path} has more than {MAX_MAP_MEMBERS} different members: one column of JSON"
    if proposal.omitted:
        left_out = count(proposal.omitted, "value")
        yield f"{left_out} of more than {MAX_ATTRIBUTES} attributes are left out of the view"
    if proposal.image_count == max_images:
        yield f"more images may be in the lake: --images {10 * max_images} reads more"


def next_steps(proposal: Proposal) -> Iterator[str]:
    """Yield what was saved, and what to run next."""
    paths = " and ".join(file.path for file in proposal.files)
    yield f"saved {paths}: run python setup, then python -m operations.verify"
    if proposal.json_paths:
        yield "rows written before have other columns: python -m operations.verify --repair"


def _parse_arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.prog = "python -m analytics.propose"
    parser.add_argument("--save", action="store_true", help="write the proposed files")
    parser.add_argument(
        "--images",
        type=whole_number(1),
        default=100_000,
        metavar="N",
        help="number of images to read at most (default: 100000)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
