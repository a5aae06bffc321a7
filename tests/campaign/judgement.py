"""What must be true of a life on the chain in the end."""

from typing import Any

from tests.campaign import validators
from tests.campaign.evidence import Evidence
from tests.campaign.life import ACCOUNTS, OPENING, Life, Told, text_of
from tests.campaign.storm import INVOKE, PUT
from transform import canonical
from transform.state import Row, find_gaps


def judge(life: Life) -> None:
    """Bring the chain to rest, and hold against it all that must be true of it."""
    _rest(life)
    found = life.found()
    _judge_changes(life, found)
    _judge_counts(life, found)
    _judge_crawl(life, found)
    _judge_gaps(life, found)
    _judge_repair(life, found)
    _judge_the_end(life)


def _rest(life: Life) -> None:
    """End what is wrong with the chain, and send again what failed."""
    life.mend_function()
    life.start_pipe()
    life.settle()
    life.chain.calm()
    life.replay()
    life.settle()


def _judge_changes(life: Life, found: Evidence) -> None:
    """Hold the lake against what was written."""
    texts = [_told(change) for change in found.written]
    assert texts == life.log
    lost = validators.unaccounted(found)
    assert lost <= life.at_risk, lost - life.at_risk
    assert validators.faults(found, lost) == []
    large = {each.event_id for each in found.written if '"note":' in "".join(_images(each))}
    assert found.buried == large - lost
    assert set(found.failed) <= life.poison
    assert life.poison - set(found.failed) <= life.poison_at_risk
    life.effects.did["enlarge"] += len(found.buried)
    life.effects.did["spoil"] += len(found.failed)


def _judge_counts(life: Life, found: Evidence) -> None:
    """Hold the hops' counts against what lies there; who dies may do again what it has done."""
    assert [hop for hop in life.chain.hops() if not hop.is_balanced] == []
    again = len(found.rows) + life.rows_taken - (life.chain.delivered - life.rows_before)
    assert 0 <= again <= life.chain.lost_on_restart - life.forgotten_before
    assert life.killed or len(found.failed) == len(set(found.failed))


def _judge_crawl(life: Life, found: Evidence) -> None:
    """Let the crawler add the columns of all rows, whatever became of crawls before."""
    before, columns = life.chain.columns(), life.chain.crawled()
    life.effects.did["crawl"] += len(columns) - len(before)
    assert {name for row in found.rows for name in row} <= {*columns, "dt"}


def _judge_gaps(life: Life, found: Evidence) -> None:
    """Hold what verify --gaps names against the law, and against what was lost."""
    status, document = life.chain.verified("--gaps")
    named = {(gap["key"], gap["source"], gap["sequence"]) for gap in document["gaps"]}
    lawful = {(gap.after.key, gap.after.source, gap.after.sequence) for gap in _gaps(found)}
    assert (status, named) == (int(bool(lawful)), lawful)
    assert {key for key, *_ in named} <= _suspects(life, found)
    assert _broken(found) <= named


def _suspects(life: Life, found: Evidence) -> set[str]:
    """Return the keys of the changes that are not in the lake, or that no stream told."""
    return validators.absent_keys(found) | life.unseen


def _judge_repair(life: Life, found: Evidence) -> None:
    """Let verify name what is wrong, and mend it; what is too large it only names."""
    wrong = validators.equality(found)
    assert wrong <= _suspects(life, found)
    assert _named(life.chain.verified("--wait", "0")) == (int(bool(wrong)), wrong)
    large = life.large
    status, mended = life.chain.verified("--repair")
    assert (status, mended["equal"]) == (int(bool(large)), not large)
    assert mended["repair"]["left"].keys() == set(map(text_of, large))
    for order in large:
        life.put(order, "small")
        life.settle()
        assert life.chain.verified("--repair")[0] == 0
    life.counts["repaired"] += len(wrong)


def _judge_the_end(life: Life) -> None:
    """Hold the repaired lake against the table, and let replay file what was repaired."""
    assert life.chain.verified("--wait", "0")[0] == 0
    poison = len(life.found().failed)
    life.chain.replayed("--repaired")
    found = life.found()
    accounts = [text_of(account) for account in ACCOUNTS]
    assert found.items == {text_of(order): canonical(life.items[order]) for order in life.items}
    assert validators.equality(found) == set()
    assert list(validators.bank(found, accounts, OPENING * len(ACCOUNTS))) == []
    assert (found.buried, len(found.failed)) == (set(), poison)
    status, again = life.chain.replayed()
    assert (status, again["replayed"], again["left"]) == (int(bool(poison)), 0, poison)
    life.counts.update(
        changes=len(life.log),
        lost=len(validators.unaccounted(found)),
        poison=poison,
        snapshots=len(validators.snapshots(found)),
    )
    _note_faults(life)


def _note_faults(life: Life) -> None:
    """Count what befell the calls of this campaign."""
    struck, deaths = life.chain.storm.struck, life.chain.reaper.counts
    for kind, rule in ((PUT, "disturb_the_pipe"), (INVOKE, "disturb_the_function")):
        life.effects.did[rule] += sum(struck[name] for name in struck if name.startswith(kind))
    life.effects.did["kill_amid"] += deaths.total()
    life.counts += struck + deaths
    struck.clear()
    deaths.clear()


def _told(change: Any) -> Told:
    old, new = change.old_image, change.new_image
    return Told(change.key, old and old.text, new and new.text)


def _images(change: Any) -> list[str]:
    return [image.text for image in (change.old_image, change.new_image) if image]


def _gaps(found: Evidence) -> list[Any]:
    return list(find_gaps(map(Row.from_columns, found.rows)))


def _broken(found: Evidence) -> set[tuple[str, str, str]]:
    """Return the changes before which another of their stream is missing, by old and new image."""
    left: dict[tuple[str, str], str | None] = {}
    broken: set[tuple[str, str, str]] = set()
    for row in validators.distinct(found):
        place = (row.key, row.source)
        if place in left and left[place] != row.old_image:
            broken.add((*place, row.sequence))
        left[place] = row.new_image
    return broken


def _named(verified: tuple[int, dict[str, Any]]) -> tuple[int, set[str]]:
    """Return the exit status of verify, and all keys that it names."""
    status, document = verified
    kinds = ("missing", "extra", "different", "unsettled")
    return status, {key for kind in kinds for key in document[kind]}
