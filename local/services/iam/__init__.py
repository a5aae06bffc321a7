"""The laptop's IAM: limits and permissions, checked against the roles' own policies."""

from local.services.iam.service import Iam

__all__ = ["Iam"]
