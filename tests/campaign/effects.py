"""Effects of the rules of the campaigns: a rule that never has an effect tests nothing."""

from collections import Counter
from collections.abc import Iterator

# Every rule, and the unit in which its effect is counted.
UNITS = {
    "put": "changes",
    "update": "changes",
    "retype": "attributes with another type",
    "remove": "changes",
    "expire": "items expired",
    "transfer": "changes",
    "enlarge": "changes too large for Kinesis",
    "advance": "ticks with work",
    "pause_service": "ticks with work during the pause",
    "run_until_idle": "rows delivered to the lake",
    "inject_put_faults": "failed calls",
    "inject_invoke_faults": "failed calls",
    "put_poison": "records in the error store",
    "stop_pipe": "changes while the pipe was stopped",
    "break_function": "records failed",
    "kill_pipe": "records lost from memory",
    "kill_firehose": "records and rows lost from memory",
    "kill_function": "processes stopped",
    "kill_crawler": "crawls failed",
    "kill_athena": "queries failed",
    "kill_on_call": "services killed around a call",
    "crawl": "columns added",
    "recreate_pipe": "changes read again",
    "recreate_firehose": "changes at risk",
    "delete_object": "rows deleted",
    "write_without_stream": "changes unrecorded or at risk",
    "recreate_table": "items deleted",
    "restore_table": "items restored",
    "recreate_lake": "rows deleted",
    "add_tie": "rows added",
    "alter_columns": "rows altered",
    "backfill": "items sent",
    "repair": "keys repaired",
    "replay": "records replayed",
    "replay_after_repair": "records replayed",
    "restore_as_of": "items written into another table",
    "erase": "objects rewritten",
    "compact": "parts of the copy written",
}


class Effects:
    """How often each rule ran, and the size of its effect."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()

    def count_run(self, rule: str, size: int) -> None:
        """Count a run of a rule; an effect that shows only later is added to `sizes`."""
        self.runs[rule] += 1
        self.sizes[rule] += size

    def add(self, other: "Effects") -> None:
        """Add the effects of another campaign."""
        self.runs += other.runs
        self.sizes += other.sizes

    def idle_rules(self) -> set[str]:
        """Return the rules without any effect."""
        return {rule for rule in UNITS if not self.sizes[rule]}

    def lines(self) -> Iterator[str]:
        """Yield the lines of a table of the effects."""
        yield f"{'rule':22}{'runs':>6}{'effect':>8}"
        for rule, unit in UNITS.items():
            yield f"{rule:22}{self.runs[rule]:6}{self.sizes[rule]:8}  {unit}"
