"""Comparison of the laptop's Athena with a real Trino: python -m tests.trino.

Exit status 0: Trino still gives the recorded answers, both answer every query of the lake alike,
and conditions on dt select partitions.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

from operations.rates.command import upload_rates
from setup import names
from tests.support.lake_fixture import lake_with_views
from tests.support.rates_model import RATES, REPORTING_CURRENCY
from tests.trino.client import Client, TrinoError
from tests.trino.comparison import (
    compared_queries,
    find_differences,
    find_differences_with_copy,
    lakes,
    project_few_days,
    unpruned,
)
from tests.trino.corpus import expressions
from tests.trino.recording import Answer, Ask, Recording, ask, read_recording, write_recording
from tests.trino.server import VERSION, MissingTool, trino_server

SAMPLE_INTERVAL = 5


def main() -> int:
    """Record or compare, print what differs, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.trino", description=__doc__)
    parser.add_argument("--record", action="store_true", help="record Trino's answers instead")
    args = parser.parse_args()
    try:
        with lake_with_views() as cloud, trino_server(cloud.endpoint) as client:
            project_few_days()
            upload_rates(RATES, REPORTING_CURRENCY)
            trino = replace(client, schema=names.DATABASE)
            if args.record:
                return record(trino)
            problems = list(compare(trino))
    except MissingTool as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if problems else 0


def record(trino: Client) -> int:
    """Record the answers to the whole corpus."""
    answers = dict(ask(expressions(), asker(trino)))
    write_recording(Recording(VERSION, f"{datetime.now(UTC):%Y-%m-%d}", answers))
    print(f"recorded {len(answers)} answers of Trino {VERSION}")
    return 0


def compare(trino: Client) -> Iterator[str]:
    """Print and yield what differs from the recording, or between Trino and the laptop."""
    for problem in chain(unpruned(trino), differences(trino), changed_answers(trino)):
        print(problem, flush=True)
        yield problem


def changed_answers(trino: Client) -> Iterator[str]:
    """Yield each expression whose value Trino no longer gives; a part of those is asked for."""
    recorded = read_recording().answers
    values = [text for text, answer in recorded.items() if not isinstance(answer, str)]
    sample = values[::SAMPLE_INTERVAL]
    changed = [text for text, answer in ask(sample, asker(trino)) if answer != recorded[text]]
    print(f"{len(sample) - len(changed)} of {len(sample)} recorded values are Trino's", flush=True)
    for text in changed:
        yield f"{text}: not {recorded[text]} any more"


def differences(trino: Client) -> Iterator[str]:
    """Yield what Trino and the laptop answer differently over each lake."""
    count = len(list(compared_queries()))
    for lake, changes in lakes():
        unequal = list(find_differences(trino, changes))
        print(f"{lake}: {count - len(unequal)} of {count} queries are equal", flush=True)
        for name, difference in unequal:
            yield f"{lake}, {name}: {difference}"
    unequal = list(find_differences_with_copy(trino))
    print(f"with a copy: {count - len(unequal)} of {count} queries are equal", flush=True)
    for name, difference in unequal:
        yield f"with a copy, {name}: {difference}"


def asker(trino: Client) -> Ask:
    """Return a function that runs a query in Trino, and returns its answer."""

    def answer(sql: str) -> Answer:
        try:
            return [list(row) for row in trino.query(sql)]
        except TrinoError as error:
            return error.code

    return answer


if __name__ == "__main__":
    sys.exit(main())
