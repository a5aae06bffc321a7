"""Dead letters of a pipe: they say where a batch lies in the stream, and do not contain it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.pipes.config import PRINCIPAL, QUEUE_ARN, Settings
from local.services.pipes.event import Event

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

MAX_DELAY_SECONDS = 900  # The limit of SendMessage.
ACCESS_DENIED_CODES = ("AccessDenied", "AccessDeniedException")


class DeadLetters:
    """The dead-letter queue of a pipe; a pipe may have none."""

    def __init__(self, cloud: Cloud, pipe_arn: str, settings: Settings) -> None:
        self._pipe_arn = pipe_arn
        self._stream_arn = settings.source_arn
        queue = QUEUE_ARN.fullmatch(settings.dead_letter_queue_arn)
        self._queue_name = queue[1] if queue else ""
        self._sqs: SQSClient = cloud.client("sqs")
        self._sqs_as_role: SQSClient = cloud.client("sqs", settings.role_arn, PRINCIPAL, pipe_arn)

    def send(self, events: Sequence[Event], condition: str, shard_id: str, now: float) -> None:
        """Send a batch's position in the stream; without a queue the batch is discarded."""
        if self._queue_name:
            message = json.dumps(self._message(events, condition, shard_id, now))
            self._sqs_as_role.send_message(QueueUrl=self._queue_url(), MessageBody=message)

    def access_error(self) -> str:
        """Return why the role may not send, or an empty string.

        The probe is a message that every queue rejects, so nothing is enqueued.
        """
        if not self._queue_name:
            return ""
        try:
            self._sqs_as_role.send_message(
                QueueUrl=self._queue_url(),
                MessageBody="probe",
                DelaySeconds=MAX_DELAY_SECONDS + 1,
            )
        except self._sqs.exceptions.QueueDoesNotExist as error:
            return error_message(error)
        except ClientError as error:
            is_denied = error.response["Error"]["Code"] in ACCESS_DENIED_CODES
            return error_message(error) if is_denied else ""
        return ""

    def _queue_url(self) -> str:
        return self._sqs.get_queue_url(QueueName=self._queue_name)["QueueUrl"]

    def _message(
        self, events: Sequence[Event], condition: str, shard_id: str, now: float
    ) -> dict[str, Any]:
        first, last = events[0], events[-1]
        return {
            "context": {"partnerResourceArn": self._pipe_arn, "condition": condition},
            "version": "1.0",
            "timestamp": _format_utc(now, "milliseconds"),
            "DDBStreamBatchInfo": {
                "shardId": shard_id,
                "startSequenceNumber": first.sequence_number,
                "endSequenceNumber": last.sequence_number,
                "approximateArrivalOfFirstRecord": _format_utc(first.created_at or now, "seconds"),
                "approximateArrivalOfLastRecord": _format_utc(last.created_at or now, "seconds"),
                "batchSize": len(events),
                "streamArn": self._stream_arn,
            },
        }


def error_message(error: Exception) -> str:
    """Return an error's message, without boto3's words around that of the service."""
    return error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)


def _format_utc(timestamp: float, precision: str) -> str:
    time = datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None)
    return time.isoformat(timespec=precision) + "Z"
