"""Errors that several services raise in the same words."""

from local.core.request import AwsError


def not_modelled_message(*features: str) -> str:
    """Return the message for features that AWS has and the laptop cloud has not."""
    verb = "is" if len(features) == 1 else "are"
    return f"{' and '.join(features)} {verb} not modelled by the laptop cloud"


def constraint_violation(
    value: object, member: str, constraint: str, code: str = "ValidationException"
) -> AwsError:
    """Return AWS's error for a value that violates a constraint of the API's model.

    AWS omits some values from the message, such as a record's data: None stands for them.
    """
    subject = "Value" if value is None else f"Value '{value}'"
    message = f"{subject} at '{member}' failed to satisfy constraint: {constraint}"
    return AwsError(code, f"1 validation error detected: {message}")
