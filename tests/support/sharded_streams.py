"""Another server: moto's DynamoDB and Kinesis, and DynamoDB Streams that has shards as on AWS.

`python -m tests.support.sharded_streams` prints its endpoint and serves until its input ends. A
shard contains the changes of a range of key hashes; it closes after SHARD_CAPACITY changes and has
two children, each with half of the range. The server uses the API's freedom: it lists children
before their parents, its pages are small, every EMPTY_PAGE_INTERVALth page is empty although the
shard has more records, and every EXPIRY_INTERVALth iterator has expired. As other servers do, it
has an account of its own, lacks UNKNOWN_OPERATIONS, and leaves out ABSENT_MEMBERS, which AWS always
sends.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from tests.support.paths import PROJECT

ACCOUNT = "000000000000"
HOST = "127.0.0.1"
TARGET_PREFIX = "DynamoDBStreams_20120810."
HASH_COUNT = 2**128
SHARD_CAPACITY = 6  # changes
SHARDS_PER_PAGE = 3
RECORDS_PER_PAGE = 4
EMPTY_PAGE_INTERVAL = 2
EXPIRY_INTERVAL = 7
UNKNOWN_OPERATIONS = {
    "DescribeContinuousBackups",
    "DescribeTimeToLive",
    "ListTagsOfResource",
    "StartStreamEncryption",
}
ABSENT_MEMBERS = {
    "BillingModeSummary",
    "DeletionProtectionEnabled",
    "EncryptionType",
    "ItemCount",
    "StreamModeDetails",
}

# JSON of requests and responses.
Params = Mapping[str, Any]
Response = dict[str, Any]
Record = dict[str, Any]


class ApiError(Exception):
    """An error of the API; its text is the error code."""


@dataclass(slots=True)
class Shard:
    """The changes, in order, of the keys with a hash from `low` up to but not including `high`."""

    shard_id: str
    parent_id: str
    low: int
    high: int
    records: list[Record] = field(default_factory=list)
    trimmed_count: int = 0
    is_closed: bool = False

    def describe(self) -> Response:
        """Return the shard's entry in the response of DescribeStream."""
        numbers = self.sequence_numbers()
        number_range = {}
        if numbers:
            number_range["StartingSequenceNumber"] = numbers[0]
        if self.is_closed:
            number_range["EndingSequenceNumber"] = numbers[-1]
        entry: Response = {"ShardId": self.shard_id, "SequenceNumberRange": number_range}
        if self.parent_id:
            entry["ParentShardId"] = self.parent_id
        return entry

    def sequence_numbers(self) -> list[str]:
        """Return the sequence numbers of all records."""
        return [record["dynamodb"]["SequenceNumber"] for record in self.records]

    def index_of(self, iterator_type: str, sequence_number: str | None) -> int:
        """Return the index of the first record that an iterator of this type returns."""
        if iterator_type == "TRIM_HORIZON":
            return self.trimmed_count
        if iterator_type == "LATEST":
            return len(self.records)
        index = self.sequence_numbers().index(str(sequence_number))
        if iterator_type == "AFTER_SEQUENCE_NUMBER":
            index += 1
        if index < self.trimmed_count:
            raise ApiError("TrimmedDataAccessException")
        return index


class Stream:
    """A table's changes, distributed over shards."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.arn = stream_arn(table)
        self.shards: dict[str, Shard] = {}
        self._shard_numbers = count(1)
        self._copied_count = 0
        self._open_shard("shardId-trimmed-long-ago", 0, HASH_COUNT)

    def copy_changes(self) -> None:
        """Add the changes that moto has recorded since the last call to the shards."""
        assert self.table.stream_shard is not None
        changes = self.table.stream_shard.items[self._copied_count :]
        self._copied_count += len(changes)
        for record in (change.to_json() for change in changes):
            key_hash = hash_text(json.dumps(record["dynamodb"]["Keys"], sort_keys=True))
            shard = self._open_shard_for(key_hash)
            shard.records.append(with_epoch_seconds(record))
            if len(shard.records) == SHARD_CAPACITY:
                self._split(shard)

    def trim(self) -> None:
        """Trim the first half of the records of each shard."""
        for shard in self.shards.values():
            shard.trimmed_count = max(shard.trimmed_count, len(shard.records) // 2)

    def describe(self) -> Response:
        """Return the members that ListStreams and DescribeStream have in common."""
        return {
            "StreamArn": self.arn,
            "TableName": self.table.name,
            "StreamLabel": self.table.latest_stream_label,
        }

    def _open_shard_for(self, key_hash: int) -> Shard:
        (shard,) = (
            shard
            for shard in self.shards.values()
            if not shard.is_closed and shard.low <= key_hash < shard.high
        )
        return shard

    def _split(self, shard: Shard) -> None:
        shard.is_closed = True
        middle = (shard.low + shard.high) // 2
        self._open_shard(shard.shard_id, shard.low, middle)
        self._open_shard(shard.shard_id, middle, shard.high)

    def _open_shard(self, parent_id: str, low: int, high: int) -> None:
        shard_id = f"shardId-{next(self._shard_numbers):020d}-{low % 2**32:08x}"
        self.shards[shard_id] = Shard(shard_id, parent_id, low, high)


class StreamsApi:
    """The four operations of DynamoDB Streams, and Trim, which replaces a wait of 24 hours."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()
        self._read_numbers = count(1)
        self._operations: dict[str, Callable[[Params], Response]] = {
            "ListStreams": self._list_streams,
            "DescribeStream": self._describe_stream,
            "GetShardIterator": self._get_shard_iterator,
            "GetRecords": self._get_records,
            "Trim": self._trim,
        }

    def handle(self, operation: str, params: Params) -> Response:
        """Return the response to a call."""
        with self._lock:
            self._copy_changes()
            return self._operations[operation](params)

    def _copy_changes(self) -> None:
        for backend in dynamodb_backends[ACCOUNT].values():
            for table in list(backend.tables.values()):
                if table.stream_shard is None:
                    continue
                arn = stream_arn(table)
                if arn not in self._streams:
                    self._streams[arn] = Stream(table)
                self._streams[arn].copy_changes()

    def _list_streams(self, params: Params) -> Response:
        table_name = params.get("TableName")
        arns = sorted(
            arn
            for arn, stream in self._streams.items()
            if table_name is None or stream.table.name == table_name
        )
        page, is_last = paginate(arns, params.get("ExclusiveStartStreamArn"), page_size=1)
        response: Response = {"Streams": [self._streams[arn].describe() for arn in page]}
        if not is_last:
            response["LastEvaluatedStreamArn"] = page[-1]
        return response

    def _describe_stream(self, params: Params) -> Response:
        stream = self._stream(params["StreamArn"])
        shard_ids = sorted(stream.shards, reverse=True)  # Children before their parents.
        page, is_last = paginate(shard_ids, params.get("ExclusiveStartShardId"), SHARDS_PER_PAGE)
        description: Response = {
            **stream.describe(),
            "StreamStatus": "ENABLED",
            "StreamViewType": (stream.table.stream_specification or {}).get("StreamViewType"),
            "KeySchema": stream.table.schema,
            "Shards": [stream.shards[shard_id].describe() for shard_id in page],
        }
        if not is_last:
            description["LastEvaluatedShardId"] = page[-1]
        return {"StreamDescription": description}

    def _get_shard_iterator(self, params: Params) -> Response:
        stream = self._stream(params["StreamArn"])
        shard = stream.shards[params["ShardId"]]
        index = shard.index_of(params["ShardIteratorType"], params.get("SequenceNumber"))
        return {"ShardIterator": encode_iterator(stream.arn, shard.shard_id, index)}

    def _get_records(self, params: Params) -> Response:
        arn, shard_id, index = json.loads(base64.b64decode(params["ShardIterator"]))
        shard = self._stream(arn).shards[shard_id]
        read_number = next(self._read_numbers)
        if read_number % EXPIRY_INTERVAL == 0:
            raise ApiError("ExpiredIteratorException")
        if index < shard.trimmed_count:
            raise ApiError("TrimmedDataAccessException")
        page_size = min(params.get("Limit", RECORDS_PER_PAGE), RECORDS_PER_PAGE)
        if read_number % EMPTY_PAGE_INTERVAL == 0:
            page_size = 0
        records = shard.records[index : index + page_size]
        next_index = index + len(records)
        response: Response = {"Records": records}
        if not shard.is_closed or next_index < len(shard.records):
            response["NextShardIterator"] = encode_iterator(arn, shard_id, next_index)
        return response

    def _trim(self, params: Params) -> Response:
        self._stream(params["StreamArn"]).trim()
        return {}

    def _stream(self, arn: str) -> Stream:
        if arn not in self._streams:
            raise ApiError("ResourceNotFoundException")
        return self._streams[arn]


def stream_arn(table: Table) -> str:
    """Return the ARN of a table's latest stream."""
    return f"{table.table_arn}/stream/{table.latest_stream_label}"


def paginate(names: list[str], start_after: str | None, page_size: int) -> tuple[list[str], bool]:
    """Return the page of names after `start_after`, and whether it is the last page."""
    start = names.index(start_after) + 1 if start_after else 0
    end = start + page_size
    return names[start:end], end >= len(names)


def encode_iterator(stream_arn: str, shard_id: str, index: int) -> str:
    """Return a shard iterator."""
    return base64.b64encode(json.dumps([stream_arn, shard_id, index]).encode()).decode()


def hash_text(text: str) -> int:
    """Return a hash below HASH_COUNT."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest(), "big")


def with_epoch_seconds(record: Record) -> Record:
    """Return a record with its time as a number of seconds, as in JSON."""
    change = record["dynamodb"]
    created_at = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": {**change, "ApproximateCreationDateTime": created_at}}


class Server:
    """WSGI application: moto, except for the calls of DynamoDB Streams."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._streams = StreamsApi()

    # WSGI's environment and callback.
    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Handle one request."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        try:
            status, response = self._respond(target, environ)
        except ApiError as error:
            status = "400 Bad Request"
            response = {"__type": str(error), "message": "An error that a server may return."}
        body = json.dumps(response).encode() if response is not None else b""
        headers = [
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Content-Length", str(len(body))),
        ]
        start_response(status, headers)
        return [body]

    def _respond(self, target: str, environ: dict[str, Any]) -> tuple[str, Any]:
        """Return the status and the JSON of the response, or None for an empty one."""
        if target.rpartition(".")[2] in UNKNOWN_OPERATIONS:
            raise ApiError("UnknownOperationException")
        if target.startswith(TARGET_PREFIX):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            params = json.loads(environ["wsgi.input"].read(length))
            return "200 OK", self._streams.handle(target.removeprefix(TARGET_PREFIX), params)
        heads: list[str] = []
        body = b"".join(self._moto(environ, lambda status, *_: heads.append(status)))
        return heads[0], without_members(json.loads(body)) if body else None


# Any JSON.
def without_members(value: Any) -> Any:
    """Return a response without the members that other servers leave out."""
    if isinstance(value, list):
        return [without_members(member) for member in value]
    if isinstance(value, dict):
        return {
            name: without_members(member)
            for name, member in value.items()
            if name not in ABSENT_MEMBERS
        }
    return value


class QuietHandler(MotoRequestHandler):
    """moto's request handler without an access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Yield the endpoint of such a server, which runs in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.sharded_streams"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT},
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()


def trim(endpoint: str, stream_arn: str) -> None:
    """Trim the first half of the records of each shard of a stream."""
    _call(endpoint, "Trim", StreamArn=stream_arn)


def shards(endpoint: str, table_name: str) -> list[Response]:
    """Return the descriptions of all shards of a table's stream."""
    (stream,) = _call(endpoint, "ListStreams", TableName=table_name)["Streams"]
    params = {"StreamArn": stream["StreamArn"]}
    descriptions: list[Response] = []
    while True:
        page = _call(endpoint, "DescribeStream", **params)["StreamDescription"]
        descriptions += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return descriptions
        params["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]


def _call(endpoint: str, operation: str, **params: str) -> Response:
    headers = {"X-Amz-Target": f"{TARGET_PREFIX}{operation}"}
    with urlopen(Request(endpoint, json.dumps(params).encode(), headers)) as http_response:
        response: Response = json.load(http_response)
    return response


def main() -> None:
    """Serve on loopback until standard input ends."""
    server = make_server(HOST, 0, Server(), threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{HOST}:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
