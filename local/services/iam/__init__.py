"""The laptop's IAM: what a role may do, by the policies that setup gave it."""

from local.services.iam.service import Iam

__all__ = ["Iam"]
