"""Firehose: refuses what AWS refuses, and keeps its delivery streams at work."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from local.core.errors import not_modelled_message
from local.core.hop_counts import HopCount
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.firehose.config import PRINCIPAL, Settings, settings
from local.services.firehose.delivery_stream import DeliveryStream
from local.services.firehose.kinesis_source import Source
from local.services.firehose.validation import (
    DESTINATION,
    check_creation,
    check_update,
    completed,
    refusal,
)
from local.services.iam.roles import assume_role_context, is_assumable

UPDATE = "ExtendedS3DestinationUpdate"
DESCRIPTION = "ExtendedS3DestinationDescription"


class Firehose(Service):
    """Owns what moves in delivery streams; moto keeps their configuration."""

    credential_scopes = ("firehose",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._streams: dict[str, DeliveryStream] = {}
        self._settings: dict[str, Settings] = {}
        self._changes = 0
        self._answers: dict[str, Callable[[ApiRequest], ApiResponse]] = {
            "CreateDeliveryStream": self._create,
            "UpdateDestination": self._update,
            "DeleteDeliveryStream": self._delete,
            "PutRecord": self._refuse_put,
            "PutRecordBatch": self._refuse_put,
            "StartDeliveryStreamEncryption": self._refuse_put,
        }

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Answer the calls that change a stream, or that are for direct puts alone."""
        respond = self._answers.get(request.operation)
        return respond(request) if respond else None

    def tick(self) -> bool:
        """Let each delivery stream do what is due."""
        worked = [self._moved(name, stream) for name, stream in list(self._streams.items())]
        return any(worked)

    def _moved(self, name: str, stream: DeliveryStream) -> bool:
        firehose = self.cloud.client("firehose")
        try:
            of = self._settings_of(name)
        except firehose.exceptions.ResourceNotFoundException:  # Deleted at this moment.
            return False
        return stream.tick(of)

    def next_due_at(self) -> float | None:
        """Return when the first stream has something due."""
        due = [stream.next_due_at() for stream in list(self._streams.values())]
        return min((at for at in due if at is not None), default=None)

    def counts(self) -> list[HopCount]:
        """Return the two hops of all streams: to the function, and from there to S3."""
        streams = list(self._streams.values())

        def total(name: str) -> int:
            return sum(stream.totals[name] for stream in streams)

        transform = map(total, ("read", "transformed", "untransformed", "unanswered"))
        delivered = sum(stream.delivered for stream in streams)
        failed, lost_on_restart = total("unpartitioned"), total("unwritten")
        return [
            HopCount("Firehose → Lambda", *transform),
            HopCount("Firehose → S3", total("rows"), delivered, failed, lost_on_restart),
        ]

    def restart(self) -> None:
        """Let each delivery stream lose what it holds in memory."""
        for stream in list(self._streams.values()):
            stream.restart()

    def _create(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        check_creation(params)
        config = params[DESTINATION]
        source = params["KinesisStreamSourceConfiguration"]
        for role in (config["RoleARN"], source["RoleARN"]):
            self._check_role(role)
        stream = DeliveryStream(self.cloud, self._source(source))
        params[DESTINATION] = completed(config)
        response = self.cloud.forward_to_moto(request, json.dumps(params).encode())
        if response.status == 200:
            self._streams[params["DeliveryStreamName"]] = stream
        return response

    def _source(self, config: Mapping[str, str]) -> Source:
        """Return a reader that begins where the source ends now; the role must allow that."""
        kinesis = self.cloud.client("kinesis", config["RoleARN"], PRINCIPAL)
        try:
            return Source(kinesis, config["KinesisStreamARN"])
        except ClientError as error:
            text = error.response["Error"]["Message"]
            raise refusal(f"Role {config['RoleARN']} cannot read the source: {text}") from None

    def _check_role(self, role: str) -> None:
        context = assume_role_context(role, PRINCIPAL)
        if not is_assumable(self.cloud.client("iam"), role, PRINCIPAL, context):
            raise refusal(
                f"Firehose is unable to assume role {role}. Please check the role provided."
            )

    def _settings_of(self, name: str) -> Settings:
        found, changes = self._settings.get(name), self._changes
        if found is None:
            firehose = self.cloud.client("firehose")
            described = firehose.describe_delivery_stream(DeliveryStreamName=name)
            found = settings(described["DeliveryStreamDescription"])
            if changes == self._changes:  # Else it may be older than an update on another thread.
                self._settings[name] = found
        return found

    def _update(self, request: ApiRequest) -> ApiResponse:
        """Merge an update into what is there; one that changes nothing makes no new version."""
        params = request.params
        if UPDATE not in params:
            raise refusal(not_modelled_message(f"an update without {UPDATE}"))
        name = params["DeliveryStreamName"]
        current = self._current(name)
        merged = merged_destination(current, params[UPDATE])
        check_update(current, merged)
        self._check_role(merged["RoleARN"])
        merged = completed(merged)
        if merged == current:
            return json_response({})
        response = self.cloud.forward_to_moto(
            request, json.dumps({**params, UPDATE: merged}).encode()
        )
        self._forget(name)
        return response

    def _current(self, name: str) -> dict[str, Any]:
        firehose = self.cloud.client("firehose")
        try:
            described = firehose.describe_delivery_stream(DeliveryStreamName=name)
        except firehose.exceptions.ResourceNotFoundException as error:
            text = error.response["Error"]["Message"]
            raise AwsError("ResourceNotFoundException", text) from None
        return described["DeliveryStreamDescription"]["Destinations"][0][DESCRIPTION]

    def _delete(self, request: ApiRequest) -> ApiResponse:
        """Delete a stream and what it holds: Firehose delivers none of it."""
        response = self.cloud.forward_to_moto(request)
        if response.status == 200:
            name = request.params["DeliveryStreamName"]
            self._streams.pop(name, None)
            self._forget(name)
        return response

    def _forget(self, name: str) -> None:
        self._changes += 1
        self._settings.pop(name, None)

    def _refuse_put(self, request: ApiRequest) -> ApiResponse:
        text = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
        self._current(request.params["DeliveryStreamName"])
        raise refusal(text)


def merged_destination(current: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Return a destination after an update: what that leaves out stays, `Enabled` included."""
    processing = "ProcessingConfiguration"
    kept = {"Enabled": current[processing]["Enabled"]}
    return {
        **current,
        **update,
        processing: {**kept, **update.get(processing, current[processing])},
    }
