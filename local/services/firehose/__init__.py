"""The laptop's Firehose: it reads Kinesis, calls the function, and files what comes back in S3."""

from local.services.firehose.service import Firehose

__all__ = ["Firehose"]
