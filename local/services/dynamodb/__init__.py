"""The laptop's DynamoDB: moto's tables, with AWS's numbers, streams and TTL."""

from local.services.dynamodb.service import DynamoDb

__all__ = ["DynamoDb"]
