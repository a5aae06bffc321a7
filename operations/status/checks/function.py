"""The function: whether it can be invoked, and fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import FUNCTION_ERRORS, FUNCTION_THROTTLES, MetricHistory
from setup.names import FUNCTION, FUNCTION_LOGS
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef

LOG_COMMAND = (
    f"see its log for the cause: aws logs filter-log-events --log-group-name {FUNCTION_LOGS}"
)
UPDATE_COMMAND = f"aws lambda update-function-configuration --function-name {FUNCTION}"
DEPLOY_COMMAND = "python setup/05_lambda.py"
OWN_VARIABLES = ("JSON_PATHS", "MASKED", "MASKING_KEY")  # setup/05_lambda.py sets them.


def check(history: MetricHistory | None) -> CheckResult:
    """Check that the function can be invoked, and that its last invocations succeeded."""
    functions = boto3.client("lambda")
    function = functions.get_function_configuration(FunctionName=FUNCTION)
    concurrency = functions.get_function_concurrency(FunctionName=FUNCTION)
    return check_description(function, concurrency.get("ReservedConcurrentExecutions"), history)


def check_description(
    function: FunctionConfigurationResponseTypeDef,
    reserved_concurrency: int | None,
    history: MetricHistory | None,
) -> CheckResult:
    """Return the result for a function as Lambda describes it."""
    state = function.get("State", "Active")
    if "Failed" in (state, function.get("LastUpdateStatus")):
        reason = (
            function.get("StateReason")
            or function.get("LastUpdateStatusReason")
            or "no reason given"
        )
        return CheckResult("function", f"failed: {reason}", Status.PROBLEM, DEPLOY_COMMAND)
    if reserved_concurrency == 0:
        message = "its reserved concurrency is 0: every invocation is throttled"
        remedy = f"aws lambda delete-function-concurrency --function-name {FUNCTION}"
        return CheckResult("function", message, Status.PROBLEM, remedy)
    group = function.get("LoggingConfig", {}).get("LogGroup", FUNCTION_LOGS)
    if group != FUNCTION_LOGS:
        message = f"it logs to {group}, so its failed records are not counted"
        remedy = f"{UPDATE_COMMAND} --logging-config LogGroup={FUNCTION_LOGS}"
        return CheckResult("function", message, Status.PROBLEM, remedy)
    additions = _additions(function)
    if additions:
        message = f"{additions}, which setup does not make: what they change is not known"
        removal = f"{UPDATE_COMMAND} --layers [] --environment Variables={{}}"
        remedy = f"{removal} removes them, {DEPLOY_COMMAND} then sets its own"
        return CheckResult("function", message, Status.UNKNOWN, remedy)
    return _check_invocations(history, f"{state}, code {function['CodeSha256'][:8]}")


def _additions(function: FunctionConfigurationResponseTypeDef) -> str:
    """Return what can change how the function's own code runs, as text; empty if nothing does."""
    layers = [layer["Arn"] for layer in function.get("Layers", ())]
    all_variables = function.get("Environment", {}).get("Variables", {})
    variables = sorted(all_variables.keys() - set(OWN_VARIABLES))
    additions = [f"layer {layer}" for layer in layers]
    additions += [f"variable {variable}" for variable in variables]
    return "it has " + ", ".join(additions) if additions else ""


def _check_invocations(history: MetricHistory | None, message: str) -> CheckResult:
    if history is None:
        text = f"{message}; without metrics it is not known whether it fails"
        return CheckResult("function", text, Status.UNKNOWN)
    for metric, noun in ((FUNCTION_ERRORS, "error"), (FUNCTION_THROTTLES, "throttle")):
        number = int(sum(history.recent(metric)))
        if number:
            text = f"{message}; {count(number, noun)} in the last 15 minutes"
            return CheckResult("function", text, Status.PROBLEM, LOG_COMMAND)
    return CheckResult("function", message)
