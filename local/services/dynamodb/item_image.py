"""An item's image as plain DynamoDB JSON, its size, and its conversion from and to moto."""

from base64 import b64decode, b64encode
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local.services.dynamodb.language.values import SETS, Image, Value


def item_image(item: Item | None) -> Image | None:
    """Return an item's attributes as plain DynamoDB JSON, sets sorted; None for no item."""
    if item is None:
        return None
    return {name: from_moto(value) for name, value in item.attrs.items()}


def from_moto(value: DynamoType) -> dict[str, Any]:
    """Return an attribute's value as plain DynamoDB JSON, sets sorted."""
    tag = value.type
    content = value.value
    if tag == "M":
        content = {name: from_moto(member) for name, member in content.items()}
    elif tag == "L":
        content = [from_moto(element) for element in content]
    elif tag in SETS:
        content = sorted(map(_to_text, content))
    elif tag == "B":
        content = _to_text(content)
    return {tag: content}


def _to_text(content: str | bytes) -> str:
    return content if isinstance(content, str) else b64encode(content).decode()


def to_moto(value: Value) -> DynamoType:
    """Return a value in DynamoDB JSON as moto stores it; moto's constructor builds each twice."""
    ((tag, content),) = value.items()
    if tag == "M":
        content = {name: to_moto(member) for name, member in content.items()}
    elif tag == "L":
        content = [to_moto(element) for element in content]
    elif tag == "BS":
        content = [b64decode(element) for element in content]
    elif tag == "B":
        content = b64decode(content)
    moto_value = object.__new__(DynamoType)
    moto_value.type = tag
    moto_value.value = content
    return moto_value
