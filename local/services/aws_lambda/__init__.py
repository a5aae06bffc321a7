"""The laptop's Lambda: the deployed zip in an interpreter process of its own."""

from local.services.aws_lambda.service import Lambda

__all__ = ["Lambda"]
