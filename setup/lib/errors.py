"""Errors that a user can cause, all under one base class."""


class UserError(Exception):
    """An error that its user can fix; the message states the fact, then the fix."""

    exit_status = 1
