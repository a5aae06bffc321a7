"""A change: one record of the table's stream, or of backfill and repair, checked and named."""

import re
from collections.abc import Callable, Collection
from hashlib import sha256
from json import dumps
from typing import Any, NamedTuple

from transform.errors import BadRecord, kind
from transform.images import Image, image_like, image_of, text_of
from transform.parsing import members, parsed
from transform.timestamps import moment

SNAPSHOT = "SNAPSHOT"
FULL_VIEW = "NEW_AND_OLD_IMAGES"
NEW, OLD = "NewImage", "OldImage"
# The images that a change of each operation has, and those that a stream of each view type tells.
IMAGES = {"INSERT": {NEW}, "MODIFY": {NEW, OLD}, "REMOVE": {OLD}, SNAPSHOT: {NEW}}
VIEWS = {FULL_VIEW: {NEW, OLD}, "NEW_IMAGE": {NEW}, "OLD_IMAGE": {OLD}, "KEYS_ONLY": set()}
TTL = ("Service", "dynamodb.amazonaws.com")
_SEQUENCE = re.compile(r"[0-9]{1,40}").fullmatch


class Change(NamedTuple):
    """One change of one item; an image is None where there was none, or its stream tells none."""

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
        """Return the sorted names of the attributes that differ; None where that is not known."""
        before = {} if self.operation == "INSERT" else self.old_image and self.old_image.members
        after = {} if self.operation == "REMOVE" else self.new_image and self.new_image.members
        if before is None or after is None:
            return None
        names = after if before.keys() == after.keys() else sorted(before.keys() | after.keys())
        return [name for name in names if before.get(name) != after.get(name)]


def parse_change(record: bytes, arrived_at: object = None) -> Change:
    """Return the change that a record tells; `arrived_at` serves where it has no time."""
    try:
        return _change_from_members(members(parsed(record)), arrived_at)
    except RecursionError:
        raise BadRecord("at most 32 levels", "more") from None


def _change_from_members(outer: dict[str, Any], arrived_at: object) -> Change:
    inner = _within("dynamodb", members, outer.get("dynamodb"))
    operation = _choice("eventName", outer.get("eventName"), IMAGES)
    view = _choice("StreamViewType", inner.get("StreamViewType", FULL_VIEW), VIEWS)
    new = _image(NEW, inner, operation, view)
    at = _moment(outer, inner, operation, arrived_at)
    change = Change(
        operation,
        key=_within("Keys", text_of, inner.get("Keys")),
        source=_text("eventSourceARN", outer.get("eventSourceARN")),
        sequence=_sequence(inner.get("SequenceNumber")),
        event_id="" if operation == SNAPSHOT else _text("eventID", outer.get("eventID")),
        snapshot_at=at if operation == SNAPSHOT else None,
        changed_at=at[: len("YYYY-MM-DD HH:MM:SS.fff")],
        expired=operation == "REMOVE" and _by_ttl(outer.get("userIdentity")),
        view=view,
        old_image=_image(OLD, inner, operation, view, new),
        new_image=new,
    )
    return change._replace(event_id=_identity(change)) if operation == SNAPSHOT else change


def _within(place: str, read: Callable[..., Any], *values: object) -> Any:
    """Return what is read of a member, and name the member where it is bad."""
    try:
        return read(*values)
    except BadRecord as bad:
        raise bad.inside(place) from None


def _text(name: str, value: object) -> str:
    if type(value) is not str or not value:
        raise BadRecord("a text", kind(value), name)
    return value


def _choice(name: str, value: object, choices: Collection[str]) -> str:
    if _text(name, value) not in choices:
        raise BadRecord(" or ".join(choices), "another text", name)
    return value


def _sequence(value: object) -> str:
    """Return a sequence number in forty digits, so that texts sort as the numbers do."""
    if type(value) is not str or not _SEQUENCE(value):
        raise BadRecord("1 to 40 digits as text", kind(value), "SequenceNumber")
    return value.zfill(40)


def _moment(
    outer: dict[str, Any], inner: dict[str, Any], operation: str, arrived_at: object
) -> str:
    if operation == SNAPSHOT:
        return _within("snapshotAt", moment, outer.get("snapshotAt"))
    at = inner.get("ApproximateCreationDateTime")
    return _within("ApproximateCreationDateTime", moment, arrived_at if at is None else at)


def _image(
    name: str, inner: dict[str, Any], operation: str, view: str, other: Image | None = None
) -> Image | None:
    value, possible = inner.get(name), name in IMAGES[operation]
    if value is None:
        if possible and name in VIEWS[view] and operation != SNAPSHOT:
            raise BadRecord("an image", "nothing", name)
        return None
    if not possible:
        raise BadRecord(f"nothing in a change of {operation}", kind(value), name)
    return _within(name, image_like, value, other) if other else _within(name, image_of, value)


def _by_ttl(identity: object) -> bool:
    """Return whether DynamoDB removed the item; events say `principalId`, the API `PrincipalId`."""
    if identity is None:
        return False
    named = _within("userIdentity", members, identity)
    who = {name.lower(): value for name, value in named.items()}
    return (who.get("type"), who.get("principalid")) == TTL


def _identity(snapshot: Change) -> str:
    """Return a hash of all that a snapshot tells: sent twice, it stays one change."""
    image = snapshot.new_image and snapshot.new_image.text
    told = [snapshot.key, snapshot.source, snapshot.sequence, snapshot.snapshot_at, image]
    return sha256(dumps(told).encode()).hexdigest()[:32]
