"""The laptop's Lambda: the deployed zip in an interpreter process of its own."""

from local.lambda_runtime.part import Lambda

__all__ = ["Lambda"]
