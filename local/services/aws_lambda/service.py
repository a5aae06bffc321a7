"""Lambda: stores the deployed code, and runs it in an interpreter of its own."""

import base64
import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from moto.utilities.utils import get_partition

from local.core.errors import not_modelled_message
from local.core.metrics import put_metrics
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.aws_lambda.logs import TAIL_BYTES, filtered_metrics, log_lines, put_log
from local.services.aws_lambda.process import Function, Outcome, Sandbox
from local.services.aws_lambda.validation import (
    check_configuration,
    check_creation,
    check_event,
    check_modelled,
    check_zip,
)
from local.services.iam.roles import assume_role_context, is_assumable

PRINCIPAL = "lambda.amazonaws.com"
JSON = ("Content-Type", "application/json")
FUNCTION_REFERENCE = re.compile(
    r"(?:arn:[\w-]+:lambda:[\w-]+:)?(?:\d{12}:)?(?:function:)?(?P<name>[\w-]+)(?::(?P<qualifier>.+))?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The function that a request names; without a qualifier it is `$LATEST`."""

    name: str
    qualifier: str | None


class Lambda(Service):
    """Code, logging configuration and invocations; moto stores the rest of a function."""

    credential_scopes = ("lambda",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._functions: dict[str, Function] = {}
        self._sandboxes: dict[str, Sandbox] = {}
        self._sandbox_lock = threading.Lock()
        self._routes: tuple[tuple[str, str, Callable[[ApiRequest, Target], ApiResponse]], ...] = (
            ("POST", "/functions/?", self._create),
            ("GET", "/functions/([^/]+)/?", self._get),
            ("DELETE", "/functions/([^/]+)/?", self._delete),
            ("GET", "/functions/([^/]+)/code", self._code),
            ("PUT", "/functions/([^/]+)/code", self._update_code),
            ("GET", "/functions/([^/]+)/configuration", self._get_configuration),
            ("PUT", "/functions/([^/]+)/configuration", self._update_configuration),
            ("POST", "/functions/([^/]+)/invocations", self._invoke),
        )

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to a call on a function; leave all others to moto."""
        for method, pattern, respond in self._routes:
            match = re.fullmatch(r"/2015-03-31" + pattern, request.path)
            if match and request.method == method:
                reference = match[1] if match.groups() else ""
                return respond(request, parse_target(reference, request.query))
        return None

    def restart(self) -> None:
        """Stop all processes; the next event of each function starts a new one."""
        with self._sandbox_lock:
            for name in list(self._sandboxes):
                self._stop_sandbox(name)

    def close(self) -> None:
        """Stop all processes, without waiting for their current events."""
        for sandbox in list(self._sandboxes.values()):
            sandbox.kill()
        self.restart()

    def _create(self, request: ApiRequest, _: Target) -> ApiResponse:
        params = request.params
        check_creation(params)
        self._check_role(params["Role"])
        code = self._read_code(params["Code"], "CreateFunction")
        logging = logging_config(params["FunctionName"], params.get("LoggingConfig", {}))
        params["Code"] = {"ZipFile": base64.b64encode(code).decode()}
        response = self.cloud.forward_to_moto(request, json.dumps(params).encode())
        return self._store_deployed(response, code, logging)

    def _get(self, request: ApiRequest, target: Target) -> ApiResponse:
        function = self._function(target)
        response = self.cloud.forward_to_moto(_with_bare_name(request, target))
        payload = response.payload
        payload["Configuration"] = self._describe(payload["Configuration"], function, target)
        scope = f"local/20150331/{function.region}/lambda/aws4_request"
        location = f"/2015-03-31/functions/{function.name}/code?X-Amz-Credential={scope}"
        payload["Code"] = {"RepositoryType": "S3", "Location": self.cloud.endpoint + location}
        return _json(payload, response.status)

    def _code(self, _: ApiRequest, target: Target) -> ApiResponse:
        return ApiResponse(
            self._function(target).code, headers=(("Content-Type", "application/zip"),)
        )

    def _get_configuration(self, request: ApiRequest, target: Target) -> ApiResponse:
        function = self._function(target)
        response = self.cloud.forward_to_moto(_with_bare_name(request, target))
        return _json(self._describe(response.payload, function, target), response.status)

    def _describe(
        self, configuration: dict[str, Any], function: Function, target: Target
    ) -> dict[str, Any]:
        arn = f"{function.arn}:{target.qualifier}" if target.qualifier else function.arn
        return {**configuration, "FunctionArn": arn, "LoggingConfig": dict(function.logging)}

    def _update_code(self, request: ApiRequest, target: Target) -> ApiResponse:
        function = self._function(target)
        params = request.params
        check_modelled(params)
        code = self._read_code(params, "UpdateFunctionCode")
        others = {
            name: value
            for name, value in params.items()
            if name not in ("S3Bucket", "S3Key", "ZipFile")
        }
        body = {**others, "ZipFile": base64.b64encode(code).decode()}
        response = self.cloud.forward_to_moto(
            _with_bare_name(request, target), json.dumps(body).encode()
        )
        if params.get("DryRun"):
            return response
        return self._store_deployed(response, code, function.logging)

    def _update_configuration(self, request: ApiRequest, target: Target) -> ApiResponse:
        function = self._function(target)
        params = request.params
        check_configuration(params)
        self._check_role(params.get("Role", function.role))
        logging = logging_config(
            function.name, {**function.logging, **params.get("LoggingConfig", {})}
        )
        response = self.cloud.forward_to_moto(_with_bare_name(request, target))
        return self._store_deployed(response, function.code, logging)

    def _delete(self, request: ApiRequest, target: Target) -> ApiResponse:
        response = self.cloud.forward_to_moto(_with_bare_name(request, target))
        if response.status < 300:
            self._functions.pop(target.name, None)
            self._stop_sandbox(target.name)
        return response

    def _store_deployed(
        self, response: ApiResponse, code: bytes, logging: Mapping[str, str]
    ) -> ApiResponse:
        """Store a function that moto has accepted; its next event starts a process with it."""
        if response.status >= 300:
            return response
        function = describe_function(response.payload, code, logging)
        self._functions[function.name] = function
        return _json({**response.payload, "LoggingConfig": dict(logging)}, response.status)

    def _stop_sandbox(self, name: str) -> None:
        if sandbox := self._sandboxes.pop(name, None):
            sandbox.close()

    def _function(self, target: Target) -> Function:
        function = self._functions.get(target.name)
        if function is None or target.qualifier not in (None, "$LATEST"):
            region = self.cloud.region
            arn = f"arn:{get_partition(region)}:lambda:{region}:{ACCOUNT}:function:{target.name}"
            arn += f":{target.qualifier}" if target.qualifier else ""
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        return function

    def _check_role(self, role: str) -> None:
        context = assume_role_context(role, PRINCIPAL)
        if not is_assumable(self.cloud.client("iam"), role, PRINCIPAL, context):
            message = "The role defined for the function cannot be assumed by Lambda."
            raise AwsError("InvalidParameterValueException", message)

    def _read_code(self, params: Mapping[str, Any], operation: str) -> bytes:
        """Return the zip archive of a request, or of the S3 object that it names."""
        if "ZipFile" in params:
            code = base64.b64decode(params["ZipFile"])
        else:
            code = self._read_s3_object(params["S3Bucket"], params["S3Key"])
        check_zip(code, operation)
        return code

    def _read_s3_object(self, bucket: str, key: str) -> bytes:
        s3 = self.cloud.client("s3")
        try:
            content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.ClientError as error:
            details = error.response["Error"]
            message = (
                f"Error occurred while GetObject. S3 Error Code: {details['Code']}. "
                f"S3 Error Message: {details['Message']}"
            )
            raise AwsError("InvalidParameterValueException", message) from None
        return content

    def _invoke(self, request: ApiRequest, target: Target) -> ApiResponse:
        self._function(target)
        check_event(request.body)
        invocation_type = request.environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if invocation_type == "DryRun":
            return ApiResponse(status=204)
        if invocation_type != "RequestResponse":
            message = not_modelled_message(f"InvocationType={invocation_type}")
            raise AwsError("InvalidParameterValueException", message)
        request_id = str(uuid.uuid4())
        event = request.body or b"{}"
        sandbox = self._sandbox(self._function(target))
        while (outcome := sandbox.invoke(request_id, event)) is None:
            sandbox = self._sandbox(self._function(target))
        lines = log_lines(sandbox.function, request_id, outcome)
        self._publish_log(sandbox.function, sandbox.log_stream, lines)
        self._publish_metrics(sandbox.function, outcome)
        return _invoke_response(outcome, request_id, lines, request)

    def _sandbox(self, function: Function) -> Sandbox:
        with self._sandbox_lock:
            sandbox = self._sandboxes.get(function.name)
            if sandbox is None or sandbox.function is not function:
                self._stop_sandbox(function.name)
                sandbox = Sandbox(function, self._endpoints())
                self._sandboxes[function.name] = sandbox
            return sandbox

    def _endpoints(self) -> dict[str, str]:
        inherited = {
            name: url for name, url in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")
        }
        return {"AWS_ENDPOINT_URL": self.cloud.endpoint, **inherited}

    def _publish_log(self, function: Function, stream: str, lines: list[str]) -> None:
        """Write the log as the function's role, and publish the metrics of its filters."""
        group = function.logging["LogGroup"]
        if not put_log(self.cloud.client("logs", function.role, PRINCIPAL), group, stream, lines):
            return
        filters = self.cloud.client("logs").describe_metric_filters(logGroupName=group)
        cloudwatch = self.cloud.client("cloudwatch")
        for namespace, name, total in filtered_metrics(filters["metricFilters"], lines):
            data = [{"MetricName": name, "Value": total}]
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def _publish_metrics(self, function: Function, outcome: Outcome) -> None:
        values = {
            "Invocations": 1,
            "Errors": int(outcome.is_error),
            "Duration": outcome.seconds * 1000,
        }
        dimension = ("FunctionName", function.name)
        put_metrics(self.cloud.client("cloudwatch"), "AWS/Lambda", dimension, values)


def parse_target(reference: str, query: Mapping[str, str]) -> Target:
    """Parse a function's name, partial ARN or ARN, and its qualifier."""
    match = FUNCTION_REFERENCE.fullmatch(reference)
    if match is None:
        return Target(reference, query.get("Qualifier"))
    return Target(match["name"], match["qualifier"] or query.get("Qualifier"))


def logging_config(name: str, params: Mapping[str, str]) -> dict[str, str]:
    """Return a function's logging configuration with all defaults."""
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    if params.get("LogFormat") == "JSON":
        defaults |= {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    return {**defaults, **params}


def describe_function(
    configuration: Mapping[str, Any], code: bytes, logging: Mapping[str, str]
) -> Function:
    """Return a function from Lambda's description of it."""
    return Function(
        name=configuration["FunctionName"],
        arn=configuration["FunctionArn"],
        role=configuration["Role"],
        runtime=configuration["Runtime"],
        handler=configuration["Handler"],
        timeout=configuration["Timeout"],
        memory=configuration["MemorySize"],
        region=configuration["FunctionArn"].split(":")[3],
        environment=configuration.get("Environment", {}).get("Variables", {}),
        logging=logging,
        code=code,
    )


def _invoke_response(
    outcome: Outcome, request_id: str, lines: list[str], request: ApiRequest
) -> ApiResponse:
    headers = [JSON, ("X-Amz-Executed-Version", "$LATEST"), ("x-amzn-RequestId", request_id)]
    if outcome.is_error:
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    if request.environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
        tail = "\n".join(lines).encode()[-TAIL_BYTES:]
        headers.append(("X-Amz-Log-Result", base64.b64encode(tail).decode()))
    return ApiResponse(outcome.payload, headers=tuple(headers))


def _with_bare_name(request: ApiRequest, target: Target) -> ApiRequest:
    """Return the call with a bare function name in its path: moto accepts no other form."""
    path = re.sub(r"/functions/[^/]+", f"/functions/{target.name}", request.path)
    variables = {"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path, "QUERY_STRING": ""}
    return replace(request, path=path, environ={**request.environ, **variables})


def _json(payload: Mapping[str, Any], status: int) -> ApiResponse:
    return replace(json_response(payload, status), headers=(JSON,))
