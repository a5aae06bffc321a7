"""The nemesis: it draws, from a seed, which calls go wrong, how, and which records are spoilt."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from local.core.server import Cloud
from local.core.service import Service
from local.nemesis.faults import Fault, Moment, faults, killed_after, killed_before, share
from local.nemesis.oversized_items import grown
from local.nemesis.poison import Poison

TRIALS = 2  # times that a batch's call of the function is spoilt: Firehose gives up after four
KILLS = (killed_before, killed_after)


class Nemesis:
    """What goes wrong in one cloud, at a rate of the calls that its parts make, while awake.

    Each kind of call has its own dice, so that a call's fate depends on the seed and on how many
    of its kind went before, and not on what the other parts do meanwhile. After a kill a part
    is spared for as many calls as it had lived for: no life is shorter than the one before, and
    in the end each part gets through.
    """

    def __init__(self, seed: int, rate: float, poison_rate: float) -> None:
        self.poison = Poison()
        self.grown: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._rate = rate
        self._awake = False
        self._working = threading.local()
        self._trials: Counter[int] = Counter()
        self.reseed(seed, poison_rate)

    def reseed(self, seed: int, poison_rate: float) -> None:
        """Draw from another seed from now on; what was spoilt before stays known."""
        self._seed = seed
        self._poison_rate = self.poison.rate = poison_rate
        self._dice: dict[str, Random] = {}
        self._calls: Counter[Service] = Counter()
        self._lives: Counter[Service] = Counter()

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let calls go wrong as long as this lasts."""
        self._awake = True
        try:
            yield
        finally:
            self._awake = False

    @contextmanager
    def at(self, service: Service) -> Iterator[None]:
        """Let the calls that this thread makes be those of a part."""
        self._working.service = service
        try:
            yield
        finally:
            self._working.service = None

    def let_grow(self, cloud: Cloud) -> None:
        """Let items of the tables grow too large for the chain, at the rate of poison."""
        self.grown |= grown(cloud, self._dice_of("growth"), self._poison_rate)

    def injected(self) -> dict[str, int]:
        """Return how often each kind of fault was injected."""
        spoilt = {
            "records poisoned": len(self.poison.taken),
            "items grown too large": len(self.grown),
        }
        return {**dict(sorted((+self.counts).items())), **spoilt}

    def watch(self, client: Any, cloud: Cloud) -> None:
        """Spoil calls of a client from now on."""

        def before(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            service = model.service_model.service_id.hyphenize()
            dice = self._dice_of(f"{service}.{model.name}")
            moment = Moment(client, service, model.name, params, dice, cloud)
            context["faults"] = self._begun(moment)

        client.meta.events.register("before-parameter-build", before)
        client.meta.events.register("after-call", _ended)

    def _dice_of(self, kind: str) -> Random:
        """Return the dice that decide of one kind of thing."""
        return self._dice.setdefault(kind, Random(f"{self._seed} {kind}"))

    def _begun(self, moment: Moment) -> list[Fault]:
        """Return the faults of a call, begun."""
        service = getattr(self._working, "service", None)
        if service is None or not self._awake:
            return []
        self._calls[service] += 1
        begun = self._drawn(moment, service)
        if moment.name == "kinesis.PutRecords":
            begun += _started(self.poison.spoil(moment))
        return begun

    def _drawn(self, moment: Moment, service: Service) -> list[Fault]:
        if moment.dice.random() >= self._rate * share(moment.operation):
            return []
        fault = moment.dice.choice(faults(moment.name))
        if not (self._may_die(service) if fault in KILLS else self._may_fail(moment)):
            return []
        name = fault.__name__.replace("_", " ")
        name = f"{type(service).__name__} {name}" if fault in KILLS else name
        self.counts[name] += 1
        begun = _started(fault(moment))
        self.counts[name] -= not begun
        return begun

    def _may_die(self, service: Service) -> bool:
        """Return whether a part has lived long enough to be killed."""
        if self._calls[service] <= self._lives[service]:
            return False
        self._lives[service], self._calls[service] = self._calls[service], 0
        return True

    def _may_fail(self, moment: Moment) -> bool:
        """Return whether Firehose will try a call again."""
        if moment.name != "lambda.Invoke":
            return True
        batch = hash(moment.params["Payload"].partition(b'"records"')[2])
        self._trials[batch] += 1
        return self._trials[batch] <= TRIALS


def _started(fault: Fault) -> list[Fault]:
    """Return the fault once it has happened to the request; nothing if it does not happen."""
    for _ in fault:
        return [fault]
    return []


def _ended(http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    """Let faults happen to an answer, the last that changed the request first."""
    if http_response.status_code >= 300:
        return
    for fault in reversed(context.get("faults", ())):
        with suppress(StopIteration):
            fault.send(parsed)
