"""A cloud whose parts pause, and die around the calls that they make, as they are told to."""

from collections.abc import Callable, Iterable

from local.core.service import Service
from local.nemesis import FaultyCloud, Nemesis
from local.nemesis.faults import CallContext, Fault, killed_after, killed_before

Death = Callable[[CallContext], Fault]
DEATHS: tuple[Death, ...] = (killed_before, killed_after)
# What the parts do: they die before they do it, or before they remember that they did.
DEEDS = (
    "dynamodb-streams.GetRecords",
    "kinesis.PutRecords",
    "sqs.SendMessage",
    "kinesis.GetRecords",
    "lambda.Invoke",
    "s3.PutObject",
    "s3.GetObject",
    "glue.UpdateTable",
)


class Reaper(Nemesis):
    """A nemesis that draws nothing: the part dies that makes a call which is awaited."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0, poison_rate=0)
        self.awaited: dict[str, Death] = {}

    def _draw_faults(self, call: CallContext, service: Service) -> list[Fault]:
        death = self.awaited.pop(call.name, None)
        if death is None:
            return []
        self.counts[f"{type(service).__name__} {death.__name__} {call.name}"] += 1
        fault = death(call)
        next(fault, None)
        return [fault]


class UnsteadyCloud(FaultyCloud):
    """A cloud of whose parts some are `pausing`."""

    def __init__(self, service_types: Iterable[type[Service]]) -> None:
        self.pausing: tuple[type[Service], ...] = ()
        super().__init__(service_types, Reaper())

    def _timed_tick(self, service: Service) -> bool:
        return not isinstance(service, self.pausing) and super()._timed_tick(service)
