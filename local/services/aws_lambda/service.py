"""Lambda: keeps the code that is deployed, and runs it, in an interpreter of its own."""

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
from local.services.aws_lambda.logs import TAIL, filtered_metrics, log_lines, put_log
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
REFERENCE = re.compile(
    r"(?:arn:[\w-]+:lambda:[\w-]+:)?(?:\d{12}:)?(?:function:)?(?P<name>[\w-]+)(?::(?P<qualifier>.+))?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The function that a request's path means; without a qualifier it is `$LATEST`."""

    name: str
    qualifier: str | None


class Lambda(Service):
    """Owns code, logging configuration and invocations; moto keeps the rest of a function."""

    credential_scopes = ("lambda",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._functions: dict[str, Function] = {}
        self._sandboxes: dict[str, Sandbox] = {}
        self._starting = threading.Lock()
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
        """Answer what concerns code, configuration and invocations of functions."""
        for method, pattern, respond in self._routes:
            found = re.fullmatch(r"/2015-03-31" + pattern, request.path)
            if found and request.method == method:
                return respond(request, target(found[1] if found.groups() else "", request.query))
        return None

    def restart(self) -> None:
        """End all processes: the next event of each function starts one."""
        with self._starting:
            for name in list(self._sandboxes):
                self._retire(name)

    def close(self) -> None:
        """End all processes, without waiting for what they are at."""
        for sandbox in list(self._sandboxes.values()):
            sandbox.kill()
        self.restart()

    def _create(self, request: ApiRequest, _: Target) -> ApiResponse:
        params = request.params
        check_creation(params)
        self._check_role(params["Role"])
        code = self._code_of(params["Code"], "CreateFunction")
        logging = logging_of(params["FunctionName"], params.get("LoggingConfig", {}))
        params["Code"] = {"ZipFile": base64.b64encode(code).decode()}
        response = self.cloud.forward_to_moto(request, json.dumps(params).encode())
        return self._deployed(response, code, logging)

    def _get(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        function = self._function(wanted)
        response = self.cloud.forward_to_moto(_plain(request, wanted))
        payload = response.payload
        payload["Configuration"] = self._described(payload["Configuration"], function, wanted)
        scope = f"local/20150331/{function.region}/lambda/aws4_request"
        location = f"/2015-03-31/functions/{function.name}/code?X-Amz-Credential={scope}"
        payload["Code"] = {"RepositoryType": "S3", "Location": self.cloud.endpoint + location}
        return _json(payload, response.status)

    def _code(self, _: ApiRequest, wanted: Target) -> ApiResponse:
        return ApiResponse(
            self._function(wanted).code, headers=(("Content-Type", "application/zip"),)
        )

    def _get_configuration(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        function = self._function(wanted)
        response = self.cloud.forward_to_moto(_plain(request, wanted))
        return _json(self._described(response.payload, function, wanted), response.status)

    def _described(
        self, configuration: dict[str, Any], function: Function, wanted: Target
    ) -> dict[str, Any]:
        arn = f"{function.arn}:{wanted.qualifier}" if wanted.qualifier else function.arn
        return {**configuration, "FunctionArn": arn, "LoggingConfig": dict(function.logging)}

    def _update_code(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        function, params = self._function(wanted), request.params
        check_modelled(params)
        code = self._code_of(params, "UpdateFunctionCode")
        others = {k: v for k, v in params.items() if k not in ("S3Bucket", "S3Key", "ZipFile")}
        body = {**others, "ZipFile": base64.b64encode(code).decode()}
        response = self.cloud.forward_to_moto(_plain(request, wanted), json.dumps(body).encode())
        if params.get("DryRun"):
            return response
        return self._deployed(response, code, function.logging)

    def _update_configuration(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        function, params = self._function(wanted), request.params
        check_configuration(params)
        self._check_role(params.get("Role", function.role))
        logging = logging_of(function.name, {**function.logging, **params.get("LoggingConfig", {})})
        response = self.cloud.forward_to_moto(_plain(request, wanted))
        return self._deployed(response, function.code, logging)

    def _delete(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        response = self.cloud.forward_to_moto(_plain(request, wanted))
        if response.status < 300:
            self._functions.pop(wanted.name, None)
            self._retire(wanted.name)
        return response

    def _deployed(
        self, response: ApiResponse, code: bytes, logging: Mapping[str, str]
    ) -> ApiResponse:
        """Remember what moto has accepted; the next event finds a process that runs it."""
        if response.status >= 300:
            return response
        function = function_of(response.payload, code, logging)
        self._functions[function.name] = function
        return _json({**response.payload, "LoggingConfig": dict(logging)}, response.status)

    def _retire(self, name: str) -> None:
        if sandbox := self._sandboxes.pop(name, None):
            sandbox.close()

    def _function(self, wanted: Target) -> Function:
        function = self._functions.get(wanted.name)
        if function is None or wanted.qualifier not in (None, "$LATEST"):
            region = self.cloud.region
            arn = f"arn:{get_partition(region)}:lambda:{region}:{ACCOUNT}:function:{wanted.name}"
            arn += f":{wanted.qualifier}" if wanted.qualifier else ""
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        return function

    def _check_role(self, role: str) -> None:
        context = assume_role_context(role, PRINCIPAL)
        if not is_assumable(self.cloud.client("iam"), role, PRINCIPAL, context):
            text = "The role defined for the function cannot be assumed by Lambda."
            raise AwsError("InvalidParameterValueException", text)

    def _code_of(self, params: Mapping[str, Any], operation: str) -> bytes:
        """Return the zip that a request carries, or that it names in S3."""
        if "ZipFile" in params:
            code = base64.b64decode(params["ZipFile"])
        else:
            code = self._stored(params["S3Bucket"], params["S3Key"])
        check_zip(code, operation)
        return code

    def _stored(self, bucket: str, key: str) -> bytes:
        s3 = self.cloud.client("s3")
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            text = (
                f"Error occurred while GetObject. S3 Error Code: {code}. "
                f"S3 Error Message: {message}"
            )
            raise AwsError("InvalidParameterValueException", text) from None

    def _invoke(self, request: ApiRequest, wanted: Target) -> ApiResponse:
        self._function(wanted)
        check_event(request.body)
        kind = request.environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind == "DryRun":
            return ApiResponse(status=204)
        if kind != "RequestResponse":
            text = not_modelled_message(f"InvocationType={kind}")
            raise AwsError("InvalidParameterValueException", text)
        request_id, event = str(uuid.uuid4()), request.body or b"{}"
        sandbox = self._sandbox(self._function(wanted))
        while (outcome := sandbox.invoke(request_id, event)) is None:
            sandbox = self._sandbox(self._function(wanted))
        lines = log_lines(sandbox.function, request_id, outcome)
        self._publish(sandbox.function, sandbox.log_stream, lines)
        self._measure(sandbox.function, outcome)
        return _outcome_reply(outcome, request_id, lines, request)

    def _sandbox(self, function: Function) -> Sandbox:
        with self._starting:
            sandbox = self._sandboxes.get(function.name)
            if sandbox is None or sandbox.function is not function:
                self._retire(function.name)
                sandbox = Sandbox(function, self._endpoints())
                self._sandboxes[function.name] = sandbox
            return sandbox

    def _endpoints(self) -> dict[str, str]:
        given = {k: v for k, v in os.environ.items() if k.startswith("AWS_ENDPOINT_URL")}
        return {"AWS_ENDPOINT_URL": self.cloud.endpoint, **given}

    def _publish(self, function: Function, stream: str, lines: list[str]) -> None:
        """Write the log under the function's role, and let metric filters read what arrived."""
        group = function.logging["LogGroup"]
        if not put_log(self.cloud.client("logs", function.role, PRINCIPAL), group, stream, lines):
            return
        filters = self.cloud.client("logs").describe_metric_filters(logGroupName=group)
        cloudwatch = self.cloud.client("cloudwatch")
        for namespace, name, total in filtered_metrics(filters["metricFilters"], lines):
            data = [{"MetricName": name, "Value": total}]
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)

    def _measure(self, function: Function, outcome: Outcome) -> None:
        values = {
            "Invocations": 1,
            "Errors": int(outcome.failed),
            "Duration": outcome.seconds * 1000,
        }
        of = ("FunctionName", function.name)
        put_metrics(self.cloud.client("cloudwatch"), "AWS/Lambda", of, values)


def target(reference: str, query: Mapping[str, str]) -> Target:
    """Return the function that a name, a partial ARN or an ARN means."""
    found = REFERENCE.fullmatch(reference)
    name, qualifier = (found["name"], found["qualifier"]) if found else (reference, None)
    return Target(name, qualifier or query.get("Qualifier"))


def logging_of(name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return a function's whole logging configuration."""
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"}
    return {**defaults, **(levels if given.get("LogFormat") == "JSON" else {}), **given}


def function_of(
    configuration: Mapping[str, Any], code: bytes, logging: Mapping[str, str]
) -> Function:
    """Return a function as Lambda describes it."""
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


def _outcome_reply(
    outcome: Outcome, request_id: str, lines: list[str], request: ApiRequest
) -> ApiResponse:
    headers = [JSON, ("X-Amz-Executed-Version", "$LATEST"), ("x-amzn-RequestId", request_id)]
    if outcome.failed:
        headers.append(("X-Amz-Function-Error", "Unhandled"))
    if request.environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
        tail = "\n".join(lines).encode()[-TAIL:]
        headers.append(("X-Amz-Log-Result", base64.b64encode(tail).decode()))
    return ApiResponse(outcome.payload, headers=tuple(headers))


def _plain(request: ApiRequest, wanted: Target) -> ApiRequest:
    """Return the call as moto understands it: with the function's bare name in its path."""
    path = re.sub(r"/functions/[^/]+", f"/functions/{wanted.name}", request.path)
    moved = {"PATH_INFO": path, "REQUEST_URI": path, "RAW_URI": path, "QUERY_STRING": ""}
    return replace(request, path=path, environ={**request.environ, **moved})


def _json(payload: Mapping[str, Any], status: int) -> ApiResponse:
    return replace(json_response(payload, status), headers=(JSON,))
