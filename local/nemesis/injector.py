"""Fault injector: draws from a seed which calls fail, how, and which records are poisoned."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

from local.core.server import Cloud
from local.core.service import Service
from local.nemesis.faults import (
    CallContext,
    Fault,
    killed_after,
    killed_before,
    possible_faults,
    relative_rate,
)
from local.nemesis.oversized_items import inflate_items
from local.nemesis.poison import Poison

MAX_FAULTS_PER_BATCH = 2  # Firehose gives up on a batch after four failed invocations.
KILLS = (killed_before, killed_after)


class Nemesis:
    """The faults of one cloud, injected at `rate` into its services' calls while it is active.

    Each kind of call has its own random generator. So the faults of a call depend only on the
    seed and on the number of earlier calls of its kind, not on what other services do meanwhile.
    After a kill a service is spared for at least as many calls as it made before the kill, so
    that each service makes progress in the end.
    """

    def __init__(self, seed: int, rate: float, poison_rate: float) -> None:
        self.poison = Poison()
        self.inflated_keys: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._rate = rate
        self._is_active = False
        self._thread = threading.local()
        self._invoke_faults: Counter[int] = Counter()
        self.reseed(seed, poison_rate)

    def reseed(self, seed: int, poison_rate: float) -> None:
        """Draw from another seed from now on; earlier faults stay recorded."""
        self._seed = seed
        self._poison_rate = poison_rate
        self.poison.rate = poison_rate
        self._rngs: dict[str, Random] = {}
        self._calls: Counter[Service] = Counter()
        self._calls_before_kill: Counter[Service] = Counter()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inject faults within this context."""
        self._is_active = True
        try:
            yield
        finally:
            self._is_active = False

    @contextmanager
    def calls_by(self, service: Service) -> Iterator[None]:
        """Attribute this thread's calls to a service."""
        self._thread.service = service
        try:
            yield
        finally:
            self._thread.service = None

    def inflate_items(self, cloud: Cloud) -> None:
        """Make items of the tables too large for the chain, at the rate of poison."""
        self.inflated_keys |= inflate_items(cloud, self._rng("growth"), self._poison_rate)

    def injected(self) -> dict[str, int]:
        """Return how often each kind of fault was injected."""
        return {
            **dict(sorted((+self.counts).items())),
            "records poisoned": len(self.poison.accepted),
            "items inflated": len(self.inflated_keys),
        }

    def watch(self, client: Any, cloud: Cloud) -> None:
        """Inject faults into the calls of a client from now on."""

        def inject(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            service = model.service_model.service_id.hyphenize()
            rng = self._rng(f"{service}.{model.name}")
            call = CallContext(client, service, model.name, params, rng, cloud)
            context["faults"] = self._start_faults(call)

        client.meta.events.register("before-parameter-build", inject)
        client.meta.events.register("after-call", _finish_faults)

    def _rng(self, kind: str) -> Random:
        return self._rngs.setdefault(kind, Random(f"{self._seed} {kind}"))

    def _start_faults(self, call: CallContext) -> list[Fault]:
        """Let the faults of a call change its request, and return them."""
        service = getattr(self._thread, "service", None)
        if service is None or not self._is_active:
            return []
        self._calls[service] += 1
        faults = self._draw_faults(call, service)
        if call.name == "kinesis.PutRecords":
            faults += _start(self.poison.corrupt(call))
        return faults

    def _draw_faults(self, call: CallContext, service: Service) -> list[Fault]:
        if call.rng.random() >= self._rate * relative_rate(call.operation):
            return []
        fault = call.rng.choice(possible_faults(call.name))
        is_kill = fault in KILLS
        is_allowed = self._may_kill(service) if is_kill else self._may_fail(call)
        if not is_allowed:
            return []
        name = fault.__name__.replace("_", " ")
        if is_kill:
            name = f"{type(service).__name__} {name}"
        self.counts[name] += 1  # Counted first, since a fault may raise.
        started = _start(fault(call))
        if not started:
            self.counts[name] -= 1
        return started

    def _may_kill(self, service: Service) -> bool:
        """Return whether a service has made enough calls since it was last killed."""
        if self._calls[service] <= self._calls_before_kill[service]:
            return False
        self._calls_before_kill[service] = self._calls[service]
        self._calls[service] = 0
        return True

    def _may_fail(self, call: CallContext) -> bool:
        """Return whether the caller will retry the call."""
        if call.name != "lambda.Invoke":
            return True
        batch = hash(call.params["Payload"].partition(b'"records"')[2])
        self._invoke_faults[batch] += 1
        return self._invoke_faults[batch] <= MAX_FAULTS_PER_BATCH


def _start(fault: Fault) -> list[Fault]:
    """Run a fault up to its `yield`; return it, or nothing if it does not apply."""
    for _ in fault:
        return [fault]
    return []


def _finish_faults(
    http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any
) -> None:
    """Let faults change a response, the last that changed the request first."""
    if http_response.status_code >= 300:
        return
    for fault in reversed(context.get("faults", ())):
        with suppress(StopIteration):
            fault.send(parsed)
