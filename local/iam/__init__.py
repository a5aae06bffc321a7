"""The laptop's IAM: what a role may do, by the policies that setup gave it."""

from local.iam.part import Iam, assumable, denials, guard, presented

__all__ = ["Iam", "assumable", "denials", "guard", "presented"]
