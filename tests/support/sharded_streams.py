"""A server that speaks DynamoDB, as moto does, and DynamoDB Streams with shards, as AWS does.

`python -m tests.support.sharded_streams` prints its endpoint and serves until its input ends. A
shard holds the changes of a range of keys; it closes after CAPACITY of them and has two children,
each with half of the range. The server is as unkind as the API allows: children are listed before
their parents, pages are small, every EMPTYth answer is empty though there is more, and every
EXPIREDth iterator has expired.
"""

import base64
import hashlib
import json
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

ACCOUNT, HOST, TARGET = "123456789012", "127.0.0.1", "DynamoDBStreams_20120810."
HASHES = 2**128
CAPACITY = 6  # changes, after which a shard splits
PAGE_SHARDS, PAGE_RECORDS = 3, 4
EMPTY, EXPIRED = 2, 7

Params = Mapping[str, Any]
Record = dict[str, Any]


class Refused(Exception):
    """An error of the Streams API, by its code."""


@dataclass(slots=True)
class Shard:
    """The changes of the keys whose hash lies in [low, high), in order."""

    shard_id: str
    parent: str
    low: int
    high: int
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0
    split: bool = False

    def description(self) -> dict[str, Any]:
        """Return the shard as DescribeStream shows it."""
        numbers = [record["dynamodb"]["SequenceNumber"] for record in self.records]
        known = {"StartingSequenceNumber": numbers[0]} if numbers else {}
        ended = {"EndingSequenceNumber": numbers[-1]} if self.split else {}
        shown = {"ShardId": self.shard_id, "SequenceNumberRange": {**known, **ended}}
        return {**shown, "ParentShardId": self.parent} if self.parent else shown


class Stream:
    """A table's changes, dealt out to shards."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.arn = f"{table.table_arn}/stream/{table.latest_stream_label}"
        self.shards: dict[str, Shard] = {}
        self._numbers = count(1)
        self._dealt = 0
        self._open("shardId-trimmed-long-ago", 0, HASHES)

    def deal(self) -> None:
        """Deal out the changes that moto has noted since the last time."""
        records = [item.to_json() for item in self.table.stream_shard.items[self._dealt :]]
        self._dealt += len(records)
        for record in records:
            hashed = _hashed(json.dumps(record["dynamodb"]["Keys"], sort_keys=True))
            (shard,) = (s for s in self.shards.values() if not s.split and s.low <= hashed < s.high)
            shard.records.append(_sent(record))
            if len(shard.records) == CAPACITY:
                self._split(shard)

    def trim(self) -> None:
        """Forget the first half of the changes in each shard."""
        for shard in self.shards.values():
            shard.trimmed = max(shard.trimmed, len(shard.records) // 2)

    def _split(self, shard: Shard) -> None:
        shard.split = True
        middle = (shard.low + shard.high) // 2
        self._open(shard.shard_id, shard.low, middle)
        self._open(shard.shard_id, middle, shard.high)

    def _open(self, parent: str, low: int, high: int) -> None:
        shard_id = f"shardId-{next(self._numbers):020d}-{low % 2**32:08x}"
        self.shards[shard_id] = Shard(shard_id, parent, low, high)


class Streams:
    """The four calls of DynamoDB Streams, and Trim, by which a test lets 24 hours pass."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()
        self._reads = count(1)
        self._calls: dict[str, Callable[[Params], dict[str, Any]]] = {
            "ListStreams": self._list,
            "DescribeStream": self._describe,
            "GetShardIterator": self._iterator,
            "GetRecords": self._records,
            "Trim": self._trim,
        }

    def answer(self, operation: str, params: Params) -> dict[str, Any]:
        """Return the answer to a call."""
        with self._lock:
            for backend in dynamodb_backends[ACCOUNT].values():
                for table in list(backend.tables.values()):
                    self._follow(table)
            return self._calls[operation](params)

    def _follow(self, table: Table) -> None:
        if table.stream_shard is not None:
            arn = f"{table.table_arn}/stream/{table.latest_stream_label}"
            if arn not in self._streams:
                self._streams[arn] = Stream(table)
            self._streams[arn].deal()

    def _list(self, params: Params) -> dict[str, Any]:
        named = params.get("TableName")
        arns = sorted(a for a, s in self._streams.items() if named in (None, s.table.name))
        page, more = _page(arns, params.get("ExclusiveStartStreamArn"), 1)
        shown = [_listed(self._streams[arn]) for arn in page]
        return {"Streams": shown, **({"LastEvaluatedStreamArn": page[-1]} if more else {})}

    def _describe(self, params: Params) -> dict[str, Any]:
        stream = self._stream(params["StreamArn"])
        listed = sorted(stream.shards, reverse=True)  # Children first.
        page, more = _page(listed, params.get("ExclusiveStartShardId"), PAGE_SHARDS)
        description = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.table.latest_stream_label,
            "StreamStatus": "ENABLED",
            "StreamViewType": stream.table.stream_specification["StreamViewType"],
            "TableName": stream.table.name,
            "KeySchema": stream.table.schema,
            "Shards": [stream.shards[shard_id].description() for shard_id in page],
            **({"LastEvaluatedShardId": page[-1]} if more else {}),
        }
        return {"StreamDescription": description}

    def _iterator(self, params: Params) -> dict[str, Any]:
        stream = self._stream(params["StreamArn"])
        shard = stream.shards[params["ShardId"]]
        place = _position(shard, params["ShardIteratorType"], params.get("SequenceNumber"))
        return {"ShardIterator": _token(stream.arn, shard.shard_id, place)}

    def _records(self, params: Params) -> dict[str, Any]:
        arn, shard_id, place = json.loads(base64.b64decode(params["ShardIterator"]))
        shard, number = self._stream(arn).shards[shard_id], next(self._reads)
        if number % EXPIRED == 0:
            raise Refused("ExpiredIteratorException")
        if place < shard.trimmed:
            raise Refused("TrimmedDataAccessException")
        size = 0 if number % EMPTY == 0 else min(params.get("Limit", PAGE_RECORDS), PAGE_RECORDS)
        found = shard.records[place : place + size]
        reached = place + len(found)
        over = shard.split and reached == len(shard.records)
        following = {} if over else {"NextShardIterator": _token(arn, shard_id, reached)}
        return {"Records": found, **following}

    def _trim(self, params: Params) -> dict[str, Any]:
        self._stream(params["StreamArn"]).trim()
        return {}

    def _stream(self, arn: str) -> Stream:
        if arn not in self._streams:
            raise Refused("ResourceNotFoundException")
        return self._streams[arn]


def _listed(stream: Stream) -> dict[str, str]:
    label = stream.table.latest_stream_label
    return {"StreamArn": stream.arn, "TableName": stream.table.name, "StreamLabel": label}


def _position(shard: Shard, kind: str, number: str | None) -> int:
    if kind == "TRIM_HORIZON":
        return shard.trimmed
    if kind == "LATEST":
        return len(shard.records)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in shard.records]
    place = numbers.index(str(number)) + (kind == "AFTER_SEQUENCE_NUMBER")
    if place < shard.trimmed:
        raise Refused("TrimmedDataAccessException")
    return place


def _page(names: list[str], after: str | None, size: int) -> tuple[list[str], bool]:
    """Return the names behind `after`, and whether there are more."""
    rest = names[names.index(after) + 1 :] if after else names
    return rest[:size], len(rest) > size


def _token(arn: str, shard_id: str, place: int) -> str:
    return base64.b64encode(json.dumps([arn, shard_id, place]).encode()).decode()


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest(), "big")


def _sent(record: Record) -> Record:
    """Return a record as JSON carries it: its time is a number of seconds."""
    at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": {**record["dynamodb"], "ApproximateCreationDateTime": at}}


class Server:
    """moto, with the calls of DynamoDB Streams answered here."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._streams = Streams()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer one request."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target.startswith(TARGET):
            return self._moto(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            answer, status = self._streams.answer(target[len(TARGET) :], json.loads(body)), "200 OK"
        except Refused as refusal:
            answer, status = {"__type": str(refusal), "message": "as AWS may"}, "400 Bad Request"
        text = json.dumps(answer).encode()
        start(status, [("Content-Type", "application/x-amz-json-1.0"), _length(text)])
        return [text]


class QuietHandler(MotoRequestHandler):
    """moto's request handler without an access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def _length(text: bytes) -> tuple[str, str]:
    return "Content-Length", str(len(text))


@contextmanager
def serving() -> Iterator[str]:
    """Yield the endpoint of such a server, in a process of its own."""
    command = [sys.executable, "-m", "tests.support.sharded_streams"]
    pipe, root = subprocess.PIPE, PROJECT
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=root, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()


def trim(endpoint: str, stream_arn: str) -> None:
    """Let a server forget the first half of the changes in each shard of a stream."""
    _asked(endpoint, "Trim", StreamArn=stream_arn)


def shards(endpoint: str, table: str) -> list[dict[str, Any]]:
    """Return all shards of a table's stream on a server, page by page."""
    (stream,) = _asked(endpoint, "ListStreams", TableName=table)["Streams"]
    found: list[dict[str, Any]] = []
    place = {"StreamArn": stream["StreamArn"]}
    while True:
        page = _asked(endpoint, "DescribeStream", **place)["StreamDescription"]
        found += page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return found
        place["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]


def _asked(endpoint: str, operation: str, **params: str) -> dict[str, Any]:
    headers = {"X-Amz-Target": f"{TARGET}{operation}"}
    with urlopen(Request(endpoint, json.dumps(params).encode(), headers)) as answer:
        return json.load(answer)


def main() -> None:
    """Serve on loopback until standard input ends."""
    server = make_server(HOST, 0, Server(), threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{HOST}:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
