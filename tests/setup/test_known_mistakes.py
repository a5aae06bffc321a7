"""Mistakes in scripts for such a pipeline that an emulator does not catch: each has its test."""

import pytest

from tests.emulator.test_readme import defined_tests

# The mistake, and the test that fails if the project makes it.
GUARDS = {
    "a role is used at once after its creation": (
        "setup/test_states.py::test_consistency_errors_are_retried"
    ),
    "a pipe counts as created when the call returns": (
        "setup/test_states.py::test_a_failed_pipe_is_recreated"
    ),
    "the pipe starts before Firehose reads": (
        "setup/test_scripts.py::test_the_pipe_is_started_after_firehose_only"
    ),
    "the pipe starts at LATEST": (
        "setup/test_configuration.py::test_the_pipe_is_configured_as_aws_needs"
    ),
    "a batch is larger than Kinesis takes": (
        "setup/test_configuration.py::test_the_pipe_is_configured_as_aws_needs"
    ),
    "retries without an end, a queue or bisecting": (
        "setup/test_configuration.py::test_the_pipe_is_configured_as_aws_needs"
    ),
    "a constant partition key, or one that some items lack": (
        "setup/test_configuration.py::test_the_pipe_is_configured_as_aws_needs"
    ),
    "the target's permission is missing": (
        "e2e/test_role_permissions.py::test_a_missing_permission_is_reported"
    ),
    "buffers below the minimum of dynamic partitioning": (
        "setup/test_configuration.py::test_firehose_is_configured_as_aws_needs"
    ),
    "prefixes that dynamic partitioning rejects": (
        "setup/test_configuration.py::test_firehose_is_configured_as_aws_needs"
    ),
    "errors or results under the lake's prefix": (
        "setup/test_names.py::test_no_prefix_contains_another"
    ),
    "dynamic partitioning is added to an existing stream": (
        "setup/test_foreign_resources.py::test_an_unpartitioned_firehose_is_rejected"
    ),
    "processing is not enabled": (
        "setup/test_configuration.py::test_firehose_is_configured_as_aws_needs"
    ),
    "Firehose may call only the unqualified function": (
        "setup/test_iam_policies.py::test_a_role_has_the_rights_of_its_service"
    ),
    "a row does not end its line": "transform/test_row.py::test_row_is_one_lossless_line",
    "a record is dropped, raised about or returned twice": (
        "transform/test_firehose.py::test_each_record_is_returned_once_in_order"
    ),
    "a partition value is empty or has many values": (
        "transform/test_partition.py::test_partition_is_the_day_of_the_change"
    ),
    "a response exceeds 6 MB": (
        "transform/test_firehose.py::test_response_stays_under_lambdas_limit"
    ),
    "a number loses digits": "transform/test_digits.py::test_plain_digits_are_exact",
    "the crawler makes up the schema": (
        "setup/test_catalog.py::test_crawled_columns_survive_as_text"
    ),
    "changes are ordered by time, text or arrival": (
        "transform/test_state.py::test_order_and_duplicates_do_not_matter"
    ),
    "results are read before they exist": (
        "setup/test_waiters.py::test_a_failed_state_is_raised_at_once"
    ),
    "a second run is not harmless": "setup/test_requests.py::test_a_second_run_only_reads",
    "one region, partition or account is fixed": (
        "setup/test_scripts.py::test_setup_works_in_any_location"
    ),
    "the function has old or impossible settings": (
        "setup/test_configuration.py::test_the_function_is_configured_as_aws_needs"
    ),
    "only the S3 buffer is waited for": (
        "operations/verify/test_diff.py::test_a_change_in_flight_is_never_wrong"
    ),
    "an alarm needs a metric of the reader": (
        "setup/test_alarms.py::test_silence_is_noticed_within_an_hour"
    ),
    "a list call has a narrow right": (
        "setup/test_iam_actions.py::test_a_list_call_is_allowed_where_aws_judges_it"
    ),
    "teardown ends at the first unforeseen answer": (
        "setup/test_teardown.py::test_teardown_goes_on_after_an_error"
    ),
}


@pytest.mark.parametrize("mistake", GUARDS)
def test_a_known_mistake_has_its_test(mistake: str) -> None:
    file, _, test = GUARDS[mistake].partition("::")
    assert test in defined_tests(file)


def test_every_known_mistake_is_listed() -> None:
    assert len(GUARDS) == 29
