"""Columns of the table over the lake, all of type `string`, with the descriptions in the catalog.

A crawl adds what else the items contain. `own_table.py` holds those of a table of your own.
"""

from setup import own_table

CDC_COLUMNS = {
    "cdc_operation": "INSERT, MODIFY or REMOVE; SNAPSHOT if a backfill or a repair read the item",
    "cdc_key": "The item's key as canonical DynamoDB JSON: equal for all rows of an item",
    "cdc_source": "ARN of the table's stream, which ends with its creation time",
    "cdc_sequence": "DynamoDB's sequence number, padded to 40 digits: orders an item's changes",
    "cdc_snapshot_at": "When a repair or backfill read the item, UTC; null for a change",
    "cdc_event_id": "ID of the change, equal for its duplicates",
    "cdc_changed_at": "When the item changed, in whole seconds, UTC",
    "cdc_expired": "true if DynamoDB removed the item because its time to live had ended",
    "cdc_changed": "JSON array of the names of the attributes that the change changed",
    "cdc_old_image": "The item before the change as canonical DynamoDB JSON; null if it was new",
    "cdc_new_image": "The item after the change as canonical DynamoDB JSON; null if it was removed",
}
PARTITION_KEYS = {"dt": "UTC day of the change, YYYY-MM-DD; a condition on it limits the scan"}
ORDER_COLUMNS = {
    "order_id": "ID of the order, the table's key",
    "status": "Last step: placed, payment_failed, paid, shipped, delivered, cancelled or returned",
    "placed_at": "When the order was placed, UTC",
    "paid_at": "When the order was paid, UTC",
    "payment_failed_at": "When a payment last failed, UTC",
    "shipped_at": "When the order was shipped, UTC",
    "delivered_at": "When the order was delivered, UTC",
    "cancelled_at": "When the order was cancelled, UTC",
    "returned_at": "When the order was returned, UTC",
    "updated_at": "When the order last changed, UTC",
    "customer__id": "ID of the customer",
    "customer__name": "Name of the customer; personal data",
    "customer__email": "E-mail address of the customer; personal data",
    "customer__address__street": "Street and number of the delivery address; personal data",
    "customer__address__city": "City of the delivery address",
    "customer__address__postal_code": "Postal code of the delivery address",
    "customer__address__country": "Country of the delivery address, ISO 3166 code",
    "items": "JSON array of the order's lines: sku, name, category, quantity, unit_price",
    "currency": "Currency of all amounts of the order, ISO 4217 code",
    "region": "Sales region",
    "channel": "Where the order was placed, such as web",
    "subtotal": "Sum of quantity times unit price of all lines, in the order's currency",
    "discount": "Discount on the subtotal, in the order's currency",
    "shipping_fee": "Shipping fee, in the order's currency",
    "tax": "Tax, in the order's currency",
    "total": "Amount to pay in the order's currency: subtotal - discount + shipping_fee + tax",
    "payment__method": "Method of payment, such as card",
    "payment__attempts": "Number of attempts to pay",
    "test_order": "true for a test order, which is never counted as sold",
    "expires_at": "When DynamoDB may remove the order, in seconds since 1970, UTC",
    "coupon": "Code of the coupon that gave the discount",
    "carrier": "Carrier of the shipment",
    "tracking_number": "The carrier's tracking number",
}
COLUMNS = {**CDC_COLUMNS, **ORDER_COLUMNS, **own_table.COLUMNS}
