"""The laptop's DynamoDB: moto's, with numbers, streams and expiry as AWS has them."""

from local.services.dynamodb.service import DynamoDb

__all__ = ["DynamoDb"]
