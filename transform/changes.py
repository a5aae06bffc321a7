"""Changes: records of the table's stream, or of backfill and repair, validated and parsed."""

import re
from collections.abc import Callable, Collection
from functools import partial
from hashlib import sha256
from json import dumps
from typing import Any, NamedTuple, TypeVar

from transform.columns import NO_JSON_PATHS, JsonPaths
from transform.errors import BadRecord, kind
from transform.images import Image, build_image, canonical_text, image_reusing
from transform.masking import NO_MASKING, Masking
from transform.parsing import members, parse_json
from transform.timestamps import parse_timestamp

T = TypeVar("T")

SNAPSHOT = "SNAPSHOT"
FULL_VIEW = "NEW_AND_OLD_IMAGES"
NEW_IMAGE = "NewImage"
OLD_IMAGE = "OldImage"
# The images that a change of each operation has, and those that a stream of each view type sends.
IMAGES_BY_OPERATION = {
    "INSERT": {NEW_IMAGE},
    "MODIFY": {NEW_IMAGE, OLD_IMAGE},
    "REMOVE": {OLD_IMAGE},
    SNAPSHOT: {NEW_IMAGE},
}
IMAGES_BY_VIEW_TYPE = {
    FULL_VIEW: {NEW_IMAGE, OLD_IMAGE},
    "NEW_IMAGE": {NEW_IMAGE},
    "OLD_IMAGE": {OLD_IMAGE},
    "KEYS_ONLY": set(),
}
TTL = ("Service", "dynamodb.amazonaws.com")
_SEQUENCE_NUMBER = re.compile(r"[0-9]{1,40}").fullmatch


class Change(NamedTuple):
    """One change of one item; an image is None if it does not exist or the stream omits it."""

    operation: str
    key: str
    source: str
    sequence: str
    event_id: str
    snapshot_at: str | None
    changed_at: str
    expired: bool
    view: str
    old_image: Image | None
    new_image: Image | None

    @property
    def changed(self) -> list[str] | None:
        """The sorted names of the attributes that differ; None if an image is missing."""
        before = {} if self.operation == "INSERT" else self.old_image and self.old_image.members
        after = {} if self.operation == "REMOVE" else self.new_image and self.new_image.members
        if before is None or after is None:
            return None
        names = after if before.keys() == after.keys() else sorted(before.keys() | after.keys())
        return [name for name in names if before.get(name) != after.get(name)]


def parse_change(
    record: bytes,
    arrived_at: object = None,
    json_paths: JsonPaths = NO_JSON_PATHS,
    masking: Masking = NO_MASKING,
) -> Change:
    """Return the change in a record; `arrived_at` is its time if the record has none."""
    try:
        return _change_from_members(members(parse_json(record)), arrived_at, json_paths, masking)
    except RecursionError:
        raise BadRecord("at most 32 levels", "more") from None


def _change_from_members(
    record: dict[str, Any], arrived_at: object, json_paths: JsonPaths, masking: Masking
) -> Change:
    dynamodb = _read("dynamodb", members, record.get("dynamodb"))
    operation = _choice("eventName", record.get("eventName"), IMAGES_BY_OPERATION)
    view = _choice("StreamViewType", dynamodb.get("StreamViewType", FULL_VIEW), IMAGES_BY_VIEW_TYPE)
    encode: Callable[[object], Image] = partial(build_image, json_paths=json_paths, masking=masking)
    new_image = _image(NEW_IMAGE, dynamodb, operation, view, encode)
    if new_image is not None:
        encode = partial(image_reusing, similar=new_image, json_paths=json_paths, masking=masking)
    timestamp = _timestamp(record, dynamodb, operation, arrived_at)
    change = Change(
        operation,
        key=_read("Keys", canonical_text, dynamodb.get("Keys")),
        source=_string("eventSourceARN", record.get("eventSourceARN")),
        sequence=_sequence_number(dynamodb.get("SequenceNumber")),
        event_id="" if operation == SNAPSHOT else _string("eventID", record.get("eventID")),
        snapshot_at=timestamp if operation == SNAPSHOT else None,
        changed_at=timestamp[: len("YYYY-MM-DD HH:MM:SS.fff")],
        expired=operation == "REMOVE" and _is_ttl_deletion(record.get("userIdentity")),
        view=view,
        old_image=_image(OLD_IMAGE, dynamodb, operation, view, encode),
        new_image=new_image,
    )
    return change._replace(event_id=_snapshot_id(change)) if operation == SNAPSHOT else change


def _read(name: str, reader: Callable[..., T], *values: object) -> T:
    """Return the reader's result; its error names the member that it read."""
    try:
        return reader(*values)
    except BadRecord as error:
        raise error.with_prefix(name) from None


def _string(name: str, value: object) -> str:
    if type(value) is not str or not value:
        raise BadRecord("a non-empty string", kind(value), name)
    return value


def _choice(name: str, value: object, choices: Collection[str]) -> str:
    choice = _string(name, value)
    if choice not in choices:
        raise BadRecord(" or ".join(choices), "another string", name)
    return choice


def _sequence_number(value: object) -> str:
    """Return a sequence number padded to 40 digits, so that strings sort as the numbers do."""
    if type(value) is not str or not _SEQUENCE_NUMBER(value):
        raise BadRecord("1 to 40 digits in a string", kind(value), "SequenceNumber")
    return value.zfill(40)


def _timestamp(
    record: dict[str, Any], dynamodb: dict[str, Any], operation: str, arrived_at: object
) -> str:
    if operation == SNAPSHOT:
        return _read("snapshotAt", parse_timestamp, record.get("snapshotAt"))
    created_at = dynamodb.get("ApproximateCreationDateTime")
    timestamp = arrived_at if created_at is None else created_at
    return _read("ApproximateCreationDateTime", parse_timestamp, timestamp)


def _image(
    name: str,
    dynamodb: dict[str, Any],
    operation: str,
    view: str,
    encode: Callable[[object], Image],
) -> Image | None:
    value = dynamodb.get(name)
    is_possible = name in IMAGES_BY_OPERATION[operation]
    if value is None:
        if is_possible and name in IMAGES_BY_VIEW_TYPE[view] and operation != SNAPSHOT:
            raise BadRecord("an image", "nothing", name)
        return None
    if not is_possible:
        raise BadRecord(f"nothing in a change of {operation}", kind(value), name)
    return _read(name, encode, value)


def _is_ttl_deletion(identity: object) -> bool:
    """Return whether TTL deleted the item; events spell `principalId`, the API `PrincipalId`."""
    if identity is None:
        return False
    user = _read("userIdentity", members, identity)
    by_lower_name = {name.lower(): value for name, value in user.items()}
    return (by_lower_name.get("type"), by_lower_name.get("principalid")) == TTL


def _snapshot_id(snapshot: Change) -> str:
    """Return a hash of a snapshot's content, so that sending it twice makes one change."""
    image = snapshot.new_image and snapshot.new_image.text
    content = [snapshot.key, snapshot.source, snapshot.sequence, snapshot.snapshot_at, image]
    return sha256(dumps(content).encode()).hexdigest()[:32]
