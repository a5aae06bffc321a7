"""What each rule of the campaigns did: one that never does anything proves nothing."""

from collections import Counter
from collections.abc import Iterator

# Every rule, and what its effect is counted in.
UNITS = {
    "put": "changes",
    "update": "changes",
    "retype": "attributes with another type",
    "remove": "changes",
    "expire": "items expired",
    "transfer": "changes",
    "enlarge": "changes too large for Kinesis",
    "move": "parts' rounds with work",
    "pause": "rounds with work while a part stood",
    "settle": "rows that reached the lake",
    "disturb_the_pipe": "calls gone wrong",
    "disturb_the_function": "calls gone wrong",
    "spoil": "records kept aside",
    "stop_pipe": "changes made while it stood",
    "break_function": "records failed",
    "kill_pipe": "records forgotten",
    "kill_firehose": "records and rows forgotten",
    "kill_function": "processes ended",
    "kill_crawler": "crawls failed",
    "kill_athena": "queries failed",
    "kill_amid": "parts dead around a call",
    "crawl": "columns gained",
    "recreate_pipe": "changes told again",
    "recreate_firehose": "changes at risk",
    "delete_object": "rows gone",
    "look_away": "changes unseen or at risk",
    "recreate_table": "items gone",
    "backfill": "items sent",
    "repair": "keys mended",
    "replay": "records sent again",
}


class Effects:
    """How often each rule ran, and how much it did."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.did: Counter[str] = Counter()

    def note(self, rule: str, effect: int) -> None:
        """Note that a rule ran; what shows only later is noted as `did`."""
        self.ran[rule] += 1
        self.did[rule] += effect

    def add(self, other: "Effects") -> None:
        """Add what the rules did in another campaign."""
        self.ran += other.ran
        self.did += other.did

    def idle(self) -> set[str]:
        """Return the rules that did nothing."""
        return {rule for rule in UNITS if not self.did[rule]}

    def lines(self) -> Iterator[str]:
        """Yield a table of what each rule did."""
        yield f"{'rule':22}{'ran':>6}{'did':>8}"
        for rule, unit in UNITS.items():
            yield f"{rule:22}{self.ran[rule]:6}{self.did[rule]:8}  {unit}"
