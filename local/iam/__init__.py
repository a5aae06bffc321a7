"""The laptop's IAM: what a role may do, by the policies that setup gave it."""

from local.iam.part import Iam

__all__ = ["Iam"]
