"""Firehose: its API as far as moto lacks it, and the delivery streams at work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from local.core.errors import not_modelled_message
from local.core.hop_counts import HopCount
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.firehose.config import PRINCIPAL, Settings, parse_settings
from local.services.firehose.delivery_stream import DeliveryStream
from local.services.firehose.kinesis_source import KinesisSource
from local.services.firehose.validation import (
    DESTINATION,
    check_creation,
    check_update,
    invalid_argument,
    with_defaults,
)
from local.services.iam.roles import assume_role_context, is_assumable

if TYPE_CHECKING:
    from types_boto3_firehose.client import FirehoseClient

UPDATE = "ExtendedS3DestinationUpdate"


class Firehose(Service):
    """The delivery streams: moto stores their configuration, this service moves their records."""

    credential_scopes = ("firehose",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._streams: dict[str, DeliveryStream] = {}
        self._settings: dict[str, Settings] = {}
        self._update_count = 0
        self._operations: dict[str, Callable[[ApiRequest], ApiResponse]] = {
            "CreateDeliveryStream": self._create,
            "UpdateDestination": self._update,
            "DeleteDeliveryStream": self._delete,
            "PutRecord": self._reject_direct_put,
            "PutRecordBatch": self._reject_direct_put,
            "StartDeliveryStreamEncryption": self._reject_direct_put,
        }

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Respond to calls that change a stream, and reject those for direct puts."""
        operation = self._operations.get(request.operation)
        return operation(request) if operation else None

    def tick(self) -> bool:
        """Let each delivery stream do what is due, and return whether anything happened."""
        progress = [self._tick_stream(name, stream) for name, stream in list(self._streams.items())]
        return any(progress)

    def _tick_stream(self, name: str, stream: DeliveryStream) -> bool:
        try:
            settings = self._settings_of(name)
        except self._client().exceptions.ResourceNotFoundException:  # Deleted a moment ago.
            return False
        return stream.tick(settings)

    def next_due_at(self) -> float | None:
        """Return when the first stream has work to do."""
        due_times = [stream.next_due_at() for stream in list(self._streams.values())]
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def counts(self) -> list[HopCount]:
        """Return the two hops of all streams: to the function, and from there to S3."""
        streams = list(self._streams.values())
        counts = [stream.counts for stream in streams]
        return [
            HopCount(
                "Firehose → Lambda",
                received=sum(count.read for count in counts),
                delivered=sum(count.transformed for count in counts),
                failed=sum(count.transform_failed for count in counts),
                lost_on_restart=sum(count.lost_before_transform for count in counts),
            ),
            HopCount(
                "Firehose → S3",
                received=sum(count.rows for count in counts),
                delivered=sum(stream.delivered_rows for stream in streams),
                failed=sum(count.unpartitioned for count in counts),
                lost_on_restart=sum(count.lost_before_delivery for count in counts),
            ),
        ]

    def restart(self) -> None:
        """Let each delivery stream lose what it has in memory."""
        for stream in list(self._streams.values()):
            stream.restart()

    def _client(self) -> FirehoseClient:
        client: FirehoseClient = self.cloud.client("firehose")
        return client

    def _create(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        check_creation(params)
        config = params[DESTINATION]
        source = params["KinesisStreamSourceConfiguration"]
        for role_arn in (config["RoleARN"], source["RoleARN"]):
            self._check_role(role_arn)
        stream = DeliveryStream(self.cloud, self._open_source(source))
        params[DESTINATION] = with_defaults(config)
        response = self.cloud.forward_to_moto(request, json.dumps(params).encode())
        if response.status == 200:
            self._streams[params["DeliveryStreamName"]] = stream
        return response

    def _open_source(self, config: Mapping[str, str]) -> KinesisSource:
        """Return a reader that starts at the end of the source, if the role may read it."""
        role_arn = config["RoleARN"]
        kinesis = self.cloud.client("kinesis", role_arn, PRINCIPAL)
        try:
            return KinesisSource(kinesis, config["KinesisStreamARN"])
        except ClientError as error:
            message = error.response["Error"]["Message"]
            raise invalid_argument(f"Role {role_arn} cannot read the source: {message}") from None

    def _check_role(self, role_arn: str) -> None:
        context = assume_role_context(role_arn, PRINCIPAL)
        if not is_assumable(self.cloud.client("iam"), role_arn, PRINCIPAL, context):
            raise invalid_argument(
                f"Firehose is unable to assume role {role_arn}. Please check the role provided."
            )

    def _settings_of(self, name: str) -> Settings:
        cached = self._settings.get(name)
        if cached is not None:
            return cached
        update_count = self._update_count
        response = self._client().describe_delivery_stream(DeliveryStreamName=name)
        settings = parse_settings(response["DeliveryStreamDescription"])
        # Another thread may have updated the stream meanwhile: then the description is stale.
        if update_count == self._update_count:
            self._settings[name] = settings
        return settings

    def _update(self, request: ApiRequest) -> ApiResponse:
        """Merge an update into the destination; without a change the version stays the same."""
        params = request.params
        if UPDATE not in params:
            raise invalid_argument(not_modelled_message(f"an update without {UPDATE}"))
        name = params["DeliveryStreamName"]
        current = self._describe_destination(name)
        merged = merge_destination(current, params[UPDATE])
        check_update(current, merged)
        self._check_role(merged["RoleARN"])
        merged = with_defaults(merged)
        if merged == current:
            return json_response({})
        body = json.dumps({**params, UPDATE: merged}).encode()
        response = self.cloud.forward_to_moto(request, body)
        self._invalidate_settings(name)
        return response

    def _describe_destination(self, name: str) -> dict[str, Any]:
        client = self._client()
        try:
            response = client.describe_delivery_stream(DeliveryStreamName=name)
        except client.exceptions.ResourceNotFoundException as error:
            message = error.response["Error"]["Message"]
            raise AwsError("ResourceNotFoundException", message) from None
        destination = response["DeliveryStreamDescription"]["Destinations"][0]
        return cast("dict[str, Any]", destination["ExtendedS3DestinationDescription"])

    def _delete(self, request: ApiRequest) -> ApiResponse:
        """Delete a stream and what it has in memory, none of which Firehose delivers."""
        response = self.cloud.forward_to_moto(request)
        if response.status == 200:
            name = request.params["DeliveryStreamName"]
            self._streams.pop(name, None)
            self._invalidate_settings(name)
        return response

    def _invalidate_settings(self, name: str) -> None:
        self._update_count += 1
        self._settings.pop(name, None)

    def _reject_direct_put(self, request: ApiRequest) -> ApiResponse:
        self._describe_destination(request.params["DeliveryStreamName"])  # It must exist.
        raise invalid_argument(
            "This operation is not permitted on KinesisStreamAsSource delivery stream type."
        )


def merge_destination(current: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Return a destination after an update: what that omits stays, `Enabled` included."""
    current_processing = current["ProcessingConfiguration"]
    processing = update.get("ProcessingConfiguration", current_processing)
    return {
        **current,
        **update,
        "ProcessingConfiguration": {"Enabled": current_processing["Enabled"], **processing},
    }
