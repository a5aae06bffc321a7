"""How every setup script runs: its arguments, its one line of output, its errors."""

import argparse
import sys
from collections.abc import Callable

import botocore.exceptions as errors
from names import region
from waiting import Refusal

# botocore's own texts say what is wrong; these say what to do about it.
ADVICE: dict[type[Exception], str] = {
    errors.NoRegionError: "run export AWS_DEFAULT_REGION=us-east-1, or yours",
    errors.NoCredentialsError: "run aws configure, or set AWS_PROFILE",
    errors.PartialCredentialsError: "run aws configure",
    errors.ProfileNotFound: "run aws configure list-profiles",
    errors.EndpointConnectionError: "is the endpoint right, and does its server run?",
    errors.UnknownRegionError: "is AWS_DEFAULT_REGION spelled right?",
}
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId")


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser whose `--help` begins with what the script is about."""
    return argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def reason(error: Exception) -> str:
    """Return in one sentence what a user can do something about."""
    if isinstance(error, errors.ClientError):
        told = error.response["Error"]
        code, text = told["Code"], " ".join(told.get("Message", "").split())
        if code in DENIED:
            return f"{error.operation_name} is not allowed to these credentials: {text}"
        if code in EXPIRED:
            return f"the credentials are not valid (any more): {text}"
        return f"{error.operation_name} failed: {code}: {text}"
    advice = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), "")
    return f"{str(error).rstrip('.')}: {advice}" if advice else str(error)


def reported(step: Callable[[], str], name: str) -> str:
    """Return the line of a step on AWS, which begins only once it is clear where that is."""
    return spoken(lambda: region() and step(), name)


def spoken(step: Callable[[], str], name: str) -> str:
    """Return the step's line; end the program with status 1 and a sentence where it fails."""
    try:
        return step()
    except (errors.BotoCoreError, errors.ClientError, Refusal) as error:
        print(f"{name}: {reason(error)}", file=sys.stderr)
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        print(f"{name}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{name}: interrupted: run it again to go on", file=sys.stderr)
    raise SystemExit(1)


def run(step: Callable[[], str], about: str | None) -> None:
    """Run a script that takes no arguments and print its one line."""
    parser = arguments(about)
    parser.parse_args()
    print(reported(step, parser.prog))
