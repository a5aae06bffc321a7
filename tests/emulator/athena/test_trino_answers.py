"""The laptop's Athena gives the answers that a real Trino gave; `make trino` records them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.core.request import AwsError
from local.services.athena.errors import QueryFailed
from tests.support.athena_engine import engine_without_tables, query_runner
from tests.support.profile import IS_FULL, IS_THOROUGH
from tests.trino.corpus import expressions
from tests.trino.recording import Answer, answer_lines, ask, digest_of, read_recording

DIFFERENCES = Path(__file__).with_name("trino_differences.txt")
MAX_DIFFERENT = 0.01
MAX_REFUSED = 0.03
OTHERS_INTERVAL = 12 if IS_FULL else 24
FAILING_INTERVAL = 2 * OTHERS_INTERVAL
TRINO_BUG = "GENERIC_INTERNAL_ERROR"
REFUSAL = "not modelled by the laptop cloud"


@pytest.fixture(scope="module")
def trino_answers() -> dict[str, Answer]:
    """Trino's answers; an internal error is a bug of its own, and says nothing."""
    answers = read_recording().answers
    return {text: answer for text, answer in answers.items() if answer != TRINO_BUG}


@pytest.fixture(scope="module")
def laptop_answers(
    trino_answers: dict[str, Answer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Answer]]:
    """The laptop's answers to a part of the corpus; one that should fail is asked for alone."""
    others = [text for text, answer in trino_answers.items() if not isinstance(answer, str)]
    failing = [text for text, answer in trino_answers.items() if isinstance(answer, str)]
    if not IS_THOROUGH:
        others = sample(others, OTHERS_INTERVAL)
        failing = sample(failing, FAILING_INTERVAL)
    with engine_without_tables(tmp_path_factory.mktemp("athena")) as engine:
        run_query = query_runner(engine)

        def answer(sql: str) -> Answer:
            try:
                return [list(row) for row in run_query(sql)]
            except (QueryFailed, AwsError) as error:
                return str(error)

        yield {**dict(ask(others, answer)), **dict(ask(failing, answer, batch_size=1))}


def test_every_expression_has_an_answer() -> None:
    assert list(read_recording().answers) == expressions(), "run make trino RECORD=1"


def test_answers_are_as_recorded() -> None:
    recording = read_recording()
    assert digest_of(answer_lines(recording.answers)) == recording.digest


def test_answers_equal_trinos(
    trino_answers: dict[str, Answer], laptop_answers: dict[str, Answer]
) -> None:
    different = [
        text
        for text, answer in laptop_answers.items()
        if not is_refused(answer) and not is_equal(trino_answers[text], answer)
    ]
    known = DIFFERENCES.read_text("utf-8").splitlines()
    assert set(different) == set(known) & laptop_answers.keys()
    assert len(known) <= MAX_DIFFERENT * len(trino_answers)


def test_few_expressions_are_refused(
    trino_answers: dict[str, Answer], laptop_answers: dict[str, Answer]
) -> None:
    refused = [
        text
        for text, answer in laptop_answers.items()
        if is_refused(answer) and not isinstance(trino_answers[text], str)
    ]
    assert len(refused) <= MAX_REFUSED * len(trino_answers)


def sample(texts: list[str], interval: int) -> list[str]:
    """Return every nth expression of those that begin with the same word, and each first one."""
    numbers: Counter[str] = Counter()
    sampled = []
    for text in texts:
        function = re.split(r"\W", text, maxsplit=1)[0]
        if numbers[function] % interval == 0:
            sampled.append(text)
        numbers[function] += 1
    return sampled


def is_refused(answer: Answer) -> bool:
    return isinstance(answer, str) and REFUSAL in answer


def is_equal(expected: Answer, actual: Answer) -> bool:
    """Return whether both have the same rows, or both are errors, whatever their words."""
    if isinstance(expected, str):
        return isinstance(actual, str)
    return expected == actual
