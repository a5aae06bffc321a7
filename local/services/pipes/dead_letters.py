"""What a pipe sends to its dead-letter queue: where a batch lies in the stream, not the batch."""

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.pipes.config import PRINCIPAL, QUEUE, Settings
from local.services.pipes.event import Event

LONGEST_DELAY = 900
DENIALS = ("AccessDenied", "AccessDeniedException")


class DeadLetters:
    """The dead-letter queue of a pipe, if it has one."""

    def __init__(self, cloud: Cloud, pipe: str, settings: Settings) -> None:
        self._pipe = pipe
        self._source = settings.source
        self._queue = QUEUE.fullmatch(settings.dead_letters)
        self._finder = cloud.client("sqs")
        self._sender = cloud.client("sqs", settings.role, PRINCIPAL, pipe)

    def send(self, events: Sequence[Event], condition: str, shard_id: str, now: float) -> None:
        """Send the place of a batch; without a queue the batch is discarded."""
        if self._queue is None:
            return
        message = self._message(events, condition, shard_id, now)
        self._sender.send_message(QueueUrl=self._url(), MessageBody=json.dumps(message))

    def flaw(self) -> str:
        """Return why the role may not send, or nothing: by a message that no queue would take."""
        if self._queue is None:
            return ""
        too_late = {"MessageBody": "probe", "DelaySeconds": LONGEST_DELAY + 1}
        try:
            self._sender.send_message(QueueUrl=self._url(), **too_late)
        except self._finder.exceptions.QueueDoesNotExist as error:
            return reason(error)
        except ClientError as error:
            return reason(error) if error.response["Error"]["Code"] in DENIALS else ""
        return ""

    def _url(self) -> str:
        name = self._queue[1] if self._queue else ""
        return self._finder.get_queue_url(QueueName=name)["QueueUrl"]

    def _message(
        self, events: Sequence[Event], condition: str, shard_id: str, now: float
    ) -> dict[str, Any]:
        return {
            "context": {"partnerResourceArn": self._pipe, "condition": condition},
            "version": "1.0",
            "timestamp": _utc(now, "milliseconds"),
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": events[0].sequence_number,
                "endSequenceNumber": events[-1].sequence_number,
                "approximateArrivalOfFirstRecord": _utc(events[0].second or now, "seconds"),
                "approximateArrivalOfLastRecord": _utc(events[-1].second or now, "seconds"),
                "batchSize": len(events),
                "streamArn": self._source,
            },
        }


def reason(error: Exception) -> str:
    """Return why a call failed, in the service's words alone."""
    return error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)


def _utc(second: float, precision: str) -> str:
    moment = datetime.fromtimestamp(second, timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec=precision) + "Z"
