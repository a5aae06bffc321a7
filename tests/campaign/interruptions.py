"""Laptop cloud whose services can be paused, or killed around chosen calls."""

from collections.abc import Callable, Iterable

from local.core.service import Service
from local.nemesis import FaultyCloud, Nemesis
from local.nemesis.faults import CallContext, Fault, killed_after, killed_before

Kill = Callable[[CallContext], Fault]
KILLS: tuple[Kill, ...] = (killed_before, killed_after)
# The calls around which a service is killed: before the call, or before it has recorded the result.
KILL_POINTS = (
    "dynamodb-streams.GetRecords",
    "kinesis.PutRecords",
    "sqs.SendMessage",
    "kinesis.GetRecords",
    "lambda.Invoke",
    "s3.PutObject",
    "s3.GetObject",
    "glue.UpdateTable",
)


class KillOnCall(Nemesis):
    """Kills the service that makes the next call with a name in `kill_by_call`."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0, poison_rate=0)
        self.kill_by_call: dict[str, Kill] = {}

    def _draw_faults(self, call: CallContext, service: Service) -> list[Fault]:
        kill = self.kill_by_call.pop(call.name, None)
        if kill is None:
            return []
        self.counts[f"{type(service).__name__} {kill.__name__} {call.name}"] += 1
        fault = kill(call)
        next(fault, None)
        return [fault]


class InterruptibleCloud(FaultyCloud):
    """A cloud that skips the services of the types in `paused_types`."""

    def __init__(self, service_types: Iterable[type[Service]]) -> None:
        self.paused_types: tuple[type[Service], ...] = ()
        self.kill_on_call = KillOnCall()
        super().__init__(service_types, self.kill_on_call)

    def _timed_tick(self, service: Service) -> bool:
        return not isinstance(service, self.paused_types) and super()._timed_tick(service)
