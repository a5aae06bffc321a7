"""Checks at the end of a scenario: invariants, counts, crawl, gaps, repair and replay."""

from tests.campaign import validators
from tests.campaign.chain import reported_keys
from tests.campaign.evidence import Evidence
from tests.campaign.fault_service import INVOKE_CALL, PUT_RECORDS_CALL
from tests.campaign.scenario import Scenario
from tests.campaign.table_history import (
    ACCOUNTS,
    OPENING_BALANCE,
    ExpectedChange,
    canonical_key,
)
from transform import Change, canonical
from transform.gaps import GapKind, find_gaps
from transform.state import Row

ChangePosition = tuple[str, str, str]  # The key, stream and sequence number of a change.


def check_scenario(scenario: Scenario) -> None:
    """Run the chain until it is idle, and check everything that must be true then."""
    _recover(scenario)
    scenario.check_copy()
    evidence = scenario.evidence()
    _check_changes(scenario, evidence)
    _check_hop_counts(scenario, evidence)
    _check_crawl(scenario, evidence)
    _check_gaps(scenario, evidence)
    _check_repair(scenario, evidence)
    _check_repaired_lake(scenario)
    _count_faults(scenario)


def _recover(scenario: Scenario) -> None:
    """Remove all faults, and replay the failed records."""
    scenario.redeploy_function()
    scenario.start_pipe()
    scenario.run_until_idle()
    scenario.chain.clear_faults()
    scenario.replay()
    scenario.run_until_idle()


def _check_changes(scenario: Scenario, evidence: Evidence) -> None:
    """Compare stream, lake, dead letters and error store with the history."""
    assert [_expected_change(change) for change in evidence.changes] == scenario.expected_changes
    lost_ids = validators.unaccounted_ids(evidence)
    assert lost_ids <= scenario.at_risk_ids, lost_ids - scenario.at_risk_ids
    altered_ids = scenario.altered_ids
    unaltered = evidence.without_rows(altered_ids)
    assert validators.find_violations(unaltered, {*lost_ids, *altered_ids}) == []
    large_ids = {change.event_id for change in evidence.changes if _is_large(change)}
    assert evidence.dead_letter_ids == large_ids - lost_ids
    failed_records = set(evidence.failed_records)
    assert failed_records <= scenario.poison
    assert scenario.poison - failed_records <= scenario.poison_at_risk
    scenario.effects.sizes["enlarge"] += len(evidence.dead_letter_ids)
    scenario.effects.sizes["put_poison"] += len(evidence.failed_records)


def _check_hop_counts(scenario: Scenario, evidence: Evidence) -> None:
    """Compare the hops' counts with the lake; a killed service may deliver a row twice."""
    chain = scenario.chain
    assert [hop for hop in chain.hop_counts() if not hop.is_balanced] == []
    delivered_rows = chain.delivered - scenario.delivered_before
    all_rows = len(evidence.lake_rows) + scenario.deleted_rows
    duplicate_rows = all_rows - scenario.added_rows - delivered_rows
    assert 0 <= duplicate_rows <= chain.lost_on_restart - scenario.lost_before
    failed_records = evidence.failed_records
    assert scenario.firehose_kills or len(failed_records) == len(set(failed_records))


def _check_crawl(scenario: Scenario, evidence: Evidence) -> None:
    """Check that a crawl adds the columns of all rows, whatever earlier crawls did."""
    column_count = len(scenario.chain.catalog_columns())
    scenario.chain.crawl()
    columns = scenario.chain.catalog_columns()
    scenario.effects.sizes["crawl"] += len(columns) - column_count
    row_columns = {name for row in evidence.lake_rows for name in row}
    assert row_columns <= {*columns, "dt"}


def _check_gaps(scenario: Scenario, evidence: Evidence) -> None:
    """Compare the gaps that verify reports with the law of state and with the lost changes."""
    status, document = scenario.chain.verify("--gaps")
    gaps = list(find_gaps(map(Row.from_columns, evidence.lake_rows)))
    assert status == int(any(gap.kind == GapKind.OPEN for gap in gaps))
    reported_kinds = {
        (gap["key"], gap["source"], gap["sequence"], gap["kind"])
        for gap in document["gaps"]
        if gap["kind"] != GapKind.ERASED
    }
    assert reported_kinds == {
        (gap.after.key, gap.after.source, gap.after.sequence, gap.kind) for gap in gaps
    }
    reported = {(key, source, sequence) for key, source, sequence, _ in reported_kinds}
    altered_keys = scenario.altered_keys
    assert {key for key, *_ in reported} <= _possibly_wrong_keys(scenario, evidence)
    unaltered = evidence.without_rows(scenario.altered_ids)
    assert {link for link in _broken_links(unaltered) if link[0] not in altered_keys} <= reported


def _check_repair(scenario: Scenario, evidence: Evidence) -> None:
    """Check that verify reports every wrong key, and repairs it unless its item is too large."""
    differing_keys = validators.differing_keys(evidence)
    assert differing_keys <= _possibly_wrong_keys(scenario, evidence)
    status, document = scenario.chain.verify("--wait", "0")
    assert status == int(bool(differing_keys or document["columns"]))
    assert reported_keys(document) == differing_keys
    _check_reported_columns(scenario, evidence, set(document["columns"]))
    large_orders = scenario.large_orders
    status, document = scenario.chain.verify("--repair")
    assert (status, document["equal"]) == (int(bool(large_orders)), not large_orders)
    assert document["repair"]["left"].keys() == set(map(canonical_key, large_orders))
    for order_id in large_orders:
        scenario.put(order_id, "small")
        scenario.run_until_idle()
        assert scenario.chain.verify("--repair")[0] == 0
    scenario.counts["repaired"] += len(differing_keys)


def _check_reported_columns(
    scenario: Scenario, evidence: Evidence, reported_keys: set[str]
) -> None:
    """Check that verify reports the keys whose columns contradict their image."""
    declared = [name for name in scenario.chain.catalog_columns() if not name.startswith("cdc_")]
    certain, possible = validators.wrong_columns(evidence, declared)
    differing_keys = validators.differing_keys(evidence)
    assert certain - differing_keys <= reported_keys
    assert reported_keys <= possible - differing_keys
    assert possible <= scenario.altered_keys


def _check_repaired_lake(scenario: Scenario) -> None:
    """Compare the repaired lake with the table; replay must archive everything, poison too."""
    assert scenario.chain.verify("--wait", "0")[0] == 0
    poison_count = len(scenario.evidence().failed_records)
    scenario.chain.replay("--repaired")
    evidence = scenario.evidence()
    accounts = [canonical_key(account) for account in ACCOUNTS]
    total_balance = OPENING_BALANCE * len(ACCOUNTS)
    images = {canonical_key(order_id): canonical(item) for order_id, item in scenario.items.items()}
    assert evidence.items == images
    assert validators.differing_keys(evidence) == set()
    assert list(validators.check_balances(evidence, accounts, total_balance)) == []
    assert evidence.dead_letter_ids == frozenset()
    assert len(evidence.failed_records) == 0
    status, document = scenario.chain.replay()
    assert (status, document["replayed"], document["left"]) == (0, 0, 0)
    scenario.counts.update(
        changes=len(scenario.expected_changes),
        lost=len(validators.unaccounted_ids(evidence)),
        poison=poison_count,
        snapshots=len(validators.snapshots(evidence)),
    )


def _count_faults(scenario: Scenario) -> None:
    """Add the injected faults and kills to the scenario's counts and effects."""
    injected = scenario.chain.fault_service.injected
    kills = scenario.chain.kill_on_call.counts
    for call, rule in (
        (PUT_RECORDS_CALL, "inject_put_faults"),
        (INVOKE_CALL, "inject_invoke_faults"),
    ):
        count = sum(count for name, count in injected.items() if name.startswith(call))
        scenario.effects.sizes[rule] += count
    scenario.effects.sizes["kill_on_call"] += kills.total()
    scenario.counts += injected + kills
    injected.clear()
    kills.clear()


def _possibly_wrong_keys(scenario: Scenario, evidence: Evidence) -> set[str]:
    """Return the keys with changes that are missing from the lake or from every stream."""
    wrong_keys = validators.undelivered_keys(evidence) | scenario.unrecorded_keys
    return wrong_keys | scenario.altered_keys


def _expected_change(change: Change) -> ExpectedChange:
    old_image = change.old_image and change.old_image.text
    new_image = change.new_image and change.new_image.text
    return ExpectedChange(change.key, old_image, new_image)


def _is_large(change: Change) -> bool:
    return any(image and '"note":' in image.text for image in (change.old_image, change.new_image))


def _broken_links(evidence: Evidence) -> set[ChangePosition]:
    """Return the changes whose old image is not the new image of the change before them."""
    last_images: dict[tuple[str, str], str | None] = {}
    broken: set[ChangePosition] = set()
    for row in validators.distinct_changes(evidence):
        item = (row.key, row.source)
        if item in last_images and last_images[item] != row.old_image:
            broken.add((row.key, row.source, row.sequence))
        last_images[item] = row.new_image
    return broken
