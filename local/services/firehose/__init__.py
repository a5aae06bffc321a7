"""Firehose of the laptop cloud: from Kinesis through a Lambda function into S3."""

from local.services.firehose.service import Firehose

__all__ = ["Firehose"]
