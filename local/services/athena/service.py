"""Athena: the operations that the pipeline, the AWS CLI and awswrangler use."""

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from local.core.errors import not_modelled_message
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.service import Service
from local.services.athena.api.executions import Execution, Executions, describe, new_id
from local.services.athena.api.metadata import METADATA
from local.services.athena.api.paging import paginate, parse_token
from local.services.athena.api.prepared_statements import PreparedStatements
from local.services.athena.api.results import MAX_PAGE_ROWS, Page, read_page, result_set
from local.services.athena.api.session import Statement
from local.services.athena.api.statements import parse_statement
from local.services.athena.api.workgroups import NamedQueries, Params, WorkGroups, invalid
from local.services.athena.storage.glue_catalog import CATALOG, Catalog

_NO_LOCATION = (
    "No output location provided. An output location is required either through the Workgroup "
    "result configuration setting or as an API input."
)
_ENFORCED_LOCATION = (
    "The Create Table As Select query failed because it was submitted with an 'external_location' "
    "property to an Athena Workgroup that enforces a centralized output location for all queries. "
    "Please remove the 'external_location' property and resubmit the query."
)
_MAX_QUERY_BYTES = 262_144


class Athena(Service):
    """Athena in place of moto's, which records any text as SUCCEEDED."""

    credential_scopes: ClassVar[tuple[str, ...]] = ("athena",)

    def __init__(self, cloud: Any) -> None:
        super().__init__(cloud)
        self._groups = WorkGroups(cloud.clock.now)
        self._named_queries = NamedQueries()
        self._prepared_statements: dict[str, PreparedStatements] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="athena-")).resolve()
        self._executions = Executions(cloud, self._folder)

    def limit_query_time(self, seconds: float) -> None:
        """Let each later query run at most this long; AWS's limit is 30 minutes."""
        self._executions.time_limit = seconds

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to an operation, or raise an error for one that is not modelled."""
        if request.operation in METADATA:
            catalog = Catalog(self.cloud.client("glue"))
            return json_response(METADATA[request.operation](catalog, request.params))
        operation = _OPERATIONS.get(request.operation)
        if operation is None:
            raise invalid(not_modelled_message(request.operation))
        return json_response(operation(self, request.params))

    def restart(self) -> None:
        """Fail every unfinished query."""
        self._executions.restart()

    def close(self) -> None:
        """Stop the running queries and delete the cache."""
        self._executions.close()

    def _get_work_group(self, params: Params) -> Params:
        return {"WorkGroup": self._groups.get(params["WorkGroup"])}

    def _create_work_group(self, params: Params) -> Params:
        return self._groups.create(params)

    def _update_work_group(self, params: Params) -> Params:
        return self._groups.update(params)

    def _delete_work_group(self, params: Params) -> Params:
        name = params["WorkGroup"]
        is_used = bool(
            self._executions.ids_in_workgroup(name) or self._named_queries.ids_in_workgroup(name)
        )
        self._groups.delete(params, is_used)
        self._named_queries.delete_in_workgroup(name)
        self._prepared_statements.pop(name, None)
        return {}

    def _list_work_groups(self, params: Params) -> Params:
        return paginate("WorkGroups", self._groups.summaries(), params)

    def _tag_resource(self, params: Params) -> Params:
        tags = self._groups.tags(params["ResourceARN"])
        tags.update({tag["Key"]: tag["Value"] for tag in params["Tags"]})
        return {}

    def _untag_resource(self, params: Params) -> Params:
        tags = self._groups.tags(params["ResourceARN"])
        for key in params["TagKeys"]:
            tags.pop(key, None)
        return {}

    def _list_tags(self, params: Params) -> Params:
        tags = self._groups.tags(params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _create_named_query(self, params: Params) -> Params:
        self._groups.get(params.get("WorkGroup", "primary"))
        return self._named_queries.create(params)

    def _get_named_query(self, params: Params) -> Params:
        return {"NamedQuery": self._named_queries.get(params["NamedQueryId"])}

    def _batch_get_named_query(self, params: Params) -> Params:
        queries, missing = _get_many(params["NamedQueryIds"], self._named_queries.get)
        unprocessed_ids = [{"NamedQueryId": key, **_NOT_FOUND} for key in missing]
        return {"NamedQueries": queries, "UnprocessedNamedQueryIds": unprocessed_ids}

    def _list_named_queries(self, params: Params) -> Params:
        group = params.get("WorkGroup", "primary")
        self._groups.get(group)
        return paginate("NamedQueryIds", self._named_queries.ids_in_workgroup(group), params)

    def _update_named_query(self, params: Params) -> Params:
        return self._named_queries.update(params)

    def _delete_named_query(self, params: Params) -> Params:
        return self._named_queries.delete(params["NamedQueryId"])

    def _prepared(self, params: Params) -> PreparedStatements:
        """Return the prepared statements of a call's workgroup."""
        name = params.get("WorkGroup", "primary")
        self._groups.get(name)
        new_statements = PreparedStatements(name, self.cloud.clock.now)
        return self._prepared_statements.setdefault(name, new_statements)

    def _create_prepared_statement(self, params: Params) -> Params:
        return self._prepared(params).create(params)

    def _update_prepared_statement(self, params: Params) -> Params:
        return self._prepared(params).update(params)

    def _get_prepared_statement(self, params: Params) -> Params:
        return {"PreparedStatement": self._prepared(params).get(params["StatementName"])}

    def _delete_prepared_statement(self, params: Params) -> Params:
        return self._prepared(params).delete(params["StatementName"])

    def _list_prepared_statements(self, params: Params) -> Params:
        return paginate("PreparedStatements", self._prepared(params).summaries(), params)

    def _start_query_execution(self, params: Params) -> Params:
        return {"QueryExecutionId": self._executions.start(self._execution(params))}

    def _execution(self, params: Params) -> Execution:
        name = params.get("WorkGroup", "primary")
        group = self._groups.get(name)
        if group["State"] != "ENABLED":
            raise invalid(f"WorkGroup {name} is disabled.")
        parameters = tuple(params.get("ExecutionParameters", ()))
        statement = parse_statement(_validated_sql(params), parameters)
        execution_id = new_id()
        location = self._output_location(params, group["Configuration"], statement)
        return Execution(
            id=execution_id,
            sql=params["QueryString"],
            statement=statement,
            database=_database(params),
            workgroup=name,
            output_location=location + statement.result_name.format(execution_id),
            parameters=parameters,
            prepared_statements=self._prepared(params),
            token=params.get("ClientRequestToken", ""),
            scan_limit=group["Configuration"].get("BytesScannedCutoffPerQuery"),
            submitted_at=self.cloud.clock.now(),
        )

    def _output_location(self, params: Params, configuration: Params, statement: Statement) -> str:
        """Return the location of the result: the workgroup's if enforced, else the request's."""
        workgroup_location = configuration["ResultConfiguration"].get("OutputLocation", "")
        requested_location = params.get("ResultConfiguration", {}).get("OutputLocation", "")
        is_enforced = configuration["EnforceWorkGroupConfiguration"]
        if is_enforced and workgroup_location:
            if statement.external_location:
                raise invalid(_ENFORCED_LOCATION)
            location = workgroup_location
        else:
            location = requested_location or workgroup_location
        match = re.match(r"s3://([^/]+)", location)
        if not match:
            raise invalid(_NO_LOCATION)
        try:
            self.cloud.client("s3").head_bucket(Bucket=match[1])
        except (ClientError, BotoCoreError):
            raise invalid(f"Unable to verify/create output bucket {match[1]}") from None
        return f"{location.removesuffix('/')}/"

    def _get_query_execution(self, params: Params) -> Params:
        return {"QueryExecution": describe(self._executions.poll(params["QueryExecutionId"]))}

    def _batch_get_query_execution(self, params: Params) -> Params:
        executions, missing = _get_many(params["QueryExecutionIds"], self._executions.get)
        unprocessed_ids = [{"QueryExecutionId": key, **_NOT_FOUND} for key in missing]
        return {
            "QueryExecutions": [describe(execution) for execution in executions],
            "UnprocessedQueryExecutionIds": unprocessed_ids,
        }

    def _list_query_executions(self, params: Params) -> Params:
        group = params.get("WorkGroup", "primary")
        self._groups.get(group)
        return paginate("QueryExecutionIds", self._executions.ids_in_workgroup(group), params)

    def _stop_query_execution(self, params: Params) -> Params:
        self._executions.stop(params["QueryExecutionId"])
        return {}

    def _get_query_results(self, params: Params) -> Params:
        execution = self._executions.get(params["QueryExecutionId"])
        if execution.state != "SUCCEEDED" or execution.outcome is None:
            raise invalid(_NOT_READY.get(execution.state, _NOT_READY[""]).format(execution.state))
        max_rows = params.get("MaxResults", MAX_PAGE_ROWS)
        if not 1 <= max_rows <= MAX_PAGE_ROWS:
            raise invalid(f"MaxResults is more than maximum allowed length {MAX_PAGE_ROWS}.")
        start = parse_token(params.get("NextToken", "0"))
        outcome = execution.outcome
        page = Page((), None)
        if not outcome.manifest:
            page = read_page(self._executions.result_file(execution), start, max_rows)
        response: Params = {
            "UpdateCount": outcome.written_rows,
            "ResultSet": result_set(outcome.columns, page.rows),
        }
        if page.next_start is not None:
            response["NextToken"] = str(page.next_start)
        return response

    def _get_runtime_statistics(self, params: Params) -> Params:
        execution = self._executions.get(params["QueryExecutionId"])
        statistics = describe(execution)["Statistics"]
        timeline = {key: value for key, value in statistics.items() if key.endswith("Millis")}
        rows = {"InputBytes": statistics["DataScannedInBytes"]}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}


def _validated_sql(params: Params) -> str:
    sql: str = params["QueryString"]
    for text in (sql, *params.get("ExecutionParameters", ())):
        if re.search("[\0\ud800-\udfff]", text):
            raise invalid("A query must not contain NUL or surrogate characters")
    if len(sql.encode()) > _MAX_QUERY_BYTES:
        raise invalid(f"QueryString is longer than {_MAX_QUERY_BYTES} bytes")
    return sql


def _database(params: Params) -> str:
    """Return the database of unqualified table names."""
    context = params.get("QueryExecutionContext", {})
    catalog = context.get("Catalog", CATALOG)
    if catalog.lower() != CATALOG.lower():
        raise invalid(not_modelled_message(f"The catalog {catalog}"))
    return str(context.get("Database", "default")).strip("`").lower()


_NOT_FOUND = {"ErrorCode": "INVALID_INPUT", "ErrorMessage": "The ID was not found"}
_NOT_READY = {
    "FAILED": "Query did not finish successfully. Final query state: {}",
    "CANCELLED": "Query did not finish successfully. Final query state: {}",
    "": "Query has not yet finished. Current state: {}",
}


def _get_many(keys: Sequence[str], get: Callable[[str], Any]) -> tuple[list[Any], list[str]]:
    values: list[Any] = []
    missing: list[str] = []
    for key in keys:
        try:
            values.append(get(key))
        except AwsError:
            missing.append(key)
    return values, missing


_OPERATIONS: dict[str, Callable[[Athena, Params], Params]] = {
    "CreateWorkGroup": Athena._create_work_group,
    "GetWorkGroup": Athena._get_work_group,
    "UpdateWorkGroup": Athena._update_work_group,
    "DeleteWorkGroup": Athena._delete_work_group,
    "ListWorkGroups": Athena._list_work_groups,
    "TagResource": Athena._tag_resource,
    "UntagResource": Athena._untag_resource,
    "ListTagsForResource": Athena._list_tags,
    "CreateNamedQuery": Athena._create_named_query,
    "GetNamedQuery": Athena._get_named_query,
    "BatchGetNamedQuery": Athena._batch_get_named_query,
    "ListNamedQueries": Athena._list_named_queries,
    "UpdateNamedQuery": Athena._update_named_query,
    "DeleteNamedQuery": Athena._delete_named_query,
    "CreatePreparedStatement": Athena._create_prepared_statement,
    "GetPreparedStatement": Athena._get_prepared_statement,
    "UpdatePreparedStatement": Athena._update_prepared_statement,
    "DeletePreparedStatement": Athena._delete_prepared_statement,
    "ListPreparedStatements": Athena._list_prepared_statements,
    "StartQueryExecution": Athena._start_query_execution,
    "GetQueryExecution": Athena._get_query_execution,
    "BatchGetQueryExecution": Athena._batch_get_query_execution,
    "ListQueryExecutions": Athena._list_query_executions,
    "StopQueryExecution": Athena._stop_query_execution,
    "GetQueryResults": Athena._get_query_results,
    "GetQueryRuntimeStatistics": Athena._get_runtime_statistics,
}
