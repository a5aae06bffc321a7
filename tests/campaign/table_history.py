"""The history of a table: writes of orders and transfers, with a plain dict as its oracle."""

from typing import Any, NamedTuple

from setup import names
from tests.campaign.chain import CampaignChain
from tests.campaign.effects import Effects
from tests.support.laptop_cloud import aws
from transform import canonical

Item = dict[str, Any]
ACCOUNTS = ("A", "B", "C")
OPENING_BALANCE = 100
LARGE_NOTE = {"S": "\x01" * 200_000}  # JSON makes it six times as long: too long for Kinesis.
TTL_SWEEP_SECONDS = 11  # After so long, the cloud deletes expired items again.


class ExpectedChange(NamedTuple):
    """A change that the stream must contain: canonical key and images."""

    key: str
    old_image: str | None
    new_image: str | None


def key_of(order_id: str) -> Item:
    """Return the key of an order."""
    return {"order_id": {"S": order_id}}


def canonical_key(order_id: str) -> str:
    """Return the key of an order as it is written in the lake."""
    return canonical(key_of(order_id))


class TableHistory:
    """The writes to the table.

    `items` is what the table must hold, and `expected_changes` what its streams must contain.
    `unrecorded_keys` are the keys that changed without a stream.
    """

    def __init__(self, chain: CampaignChain) -> None:
        self.chain = chain
        self.effects = Effects()
        self.items: dict[str, Item] = {}
        self.expected_changes: list[ExpectedChange] = []
        self.change_count = 0
        self.unrecorded_keys: set[str] = set()
        self.is_stream_enabled = True

    def open_accounts(self) -> None:
        """Put the accounts between which amounts are transferred."""
        for account in ACCOUNTS:
            self.put(account, "open", balance={"N": str(OPENING_BALANCE)})

    @property
    def large_orders(self) -> list[str]:
        """The orders that are too large for Kinesis."""
        return [order_id for order_id, item in self.items.items() if "note" in item]

    def put(self, order_id: str, status: str, **attributes: Item) -> None:
        """Put an order."""
        item = {**key_of(order_id), "status": {"S": status}, **attributes}
        aws("dynamodb").put_item(TableName=names.TABLE, Item=item)
        self._expect_item(order_id, item)

    def remove(self, order_id: str) -> None:
        """Delete an order, which need not exist."""
        aws("dynamodb").delete_item(TableName=names.TABLE, Key=key_of(order_id))
        self._expect_item(order_id, None)

    def update(self, order_id: str, name: str, value: Item) -> None:
        """Set an attribute of an order, perhaps to another type."""
        item = self.items.get(order_id, key_of(order_id))
        old_value = item.get(name, value)
        self.effects.sizes["retype"] += old_value.keys() != value.keys()
        aws("dynamodb").update_item(
            TableName=names.TABLE,
            Key=key_of(order_id),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )
        self._expect_item(order_id, {**item, name: value})

    def expire(self, order_id: str) -> None:
        """Put an order that has expired, and let TTL delete it."""
        clock = self.chain.cloud.clock
        expired_at = {"N": str(int(clock.now()) - 1)}
        self.put(order_id, "expiring", **{names.TTL_ATTRIBUTE: expired_at})
        clock.advance(TTL_SWEEP_SECONDS)
        self.chain.tick()
        self._expect_item(order_id, None)

    def enlarge(self, order_id: str) -> None:
        """Put an order that is too large for Kinesis."""
        self.put(order_id, "large", note=LARGE_NOTE)

    def transfer(self, payer: str, payee: str, amount: int) -> None:
        """Move an amount between two accounts in one transaction."""
        amounts = {payer: -amount, payee: amount}
        aws("dynamodb").transact_write_items(
            TransactItems=[
                {"Update": _balance_update(account, added)} for account, added in amounts.items()
            ]
        )
        for account, added in amounts.items():
            item = self.items[account]
            balance = int(item["balance"]["N"]) + added
            self._expect_item(account, {**item, "balance": {"N": str(balance)}})

    def _expect_item(self, order_id: str, item: Item | None) -> None:
        """Update the oracle: the order has become this item, or is deleted."""
        old_item = self.items.pop(order_id, None)
        if item is not None:
            self.items[order_id] = item
        change = ExpectedChange(canonical_key(order_id), _image(old_item), _image(item))
        if change.old_image == change.new_image:
            return
        self.change_count += 1
        if self.is_stream_enabled:
            self.expected_changes.append(change)
        else:
            self.unrecorded_keys.add(change.key)


def _image(item: Item | None) -> str | None:
    return None if item is None else canonical(item)


# An item of TransactWriteItems.
def _balance_update(account: str, amount: int) -> dict[str, Any]:
    """Return the update that adds an amount to an account's balance."""
    return {
        "TableName": names.TABLE,
        "Key": key_of(account),
        "UpdateExpression": "SET balance = balance + :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
    }
