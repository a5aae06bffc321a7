"""Query executions: started by a call, run in processes of their own, polled until they finish."""

import shutil
import threading
import uuid
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.core.request import AwsError
from local.services.athena.api.prepared_statements import PreparedStatements
from local.services.athena.api.results import Outcome, metadata
from local.services.athena.api.session import Session, Statement
from local.services.athena.api.workgroups import ENGINE, Params, invalid
from local.services.athena.backend.duckdb_process import DuckDbPool, DuckDbProcess
from local.services.athena.backend.engine import Engine
from local.services.athena.errors import QueryCancelled, QueryFailed
from local.services.athena.storage.glue_catalog import CATALOG, Catalog, Name, Table
from local.services.athena.storage.object_cache import ObjectCache
from local.services.athena.storage.partitions import parse_location

_FINAL_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")
_MAX_EXECUTIONS = 10_000  # The oldest are deleted.
_MAX_RESULT_FILES = 50  # Older results are downloaded from S3 when they are read.
_MAX_RUNNING = 8  # Further queries are queued, as on AWS.
_TIME_LIMIT_SECONDS = 30 * 60
POLL_SECONDS = 0.2  # A poll of a query waits this long for its end.


@dataclass
class Execution:
    """One query and its state; `process` runs it."""

    id: str
    sql: str
    statement: Statement
    database: str
    workgroup: str
    output_location: str
    parameters: tuple[str, ...]
    prepared_statements: PreparedStatements
    token: str
    scan_limit: int | None
    submitted_at: float
    state: str = "QUEUED"
    reason: str = ""
    failure: QueryFailed | None = None
    outcome: Outcome | None = None
    started_at: float = 0.0
    ended_at: float = 0.0
    process: DuckDbProcess | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    has_ended: threading.Event = field(default_factory=threading.Event)

    def finish(
        self, state: str, now: float, reason: str = "", failure: QueryFailed | None = None
    ) -> None:
        """Enter a final state, unless the execution is in one already."""
        with self.lock:
            if self.state not in _FINAL_STATES:
                self.reason = reason
                self.failure = failure
                self.ended_at = now
                self.state = state  # Set last: a reader that sees it may read the rest.
                self.has_ended.set()

    def start(self, now: float, process: DuckDbProcess) -> bool:
        """Enter RUNNING in a process, and return whether the execution may run."""
        with self.lock:
            if self.state == "QUEUED":
                self.state = "RUNNING"
                self.started_at = now
                self.process = process
            return self.state == "RUNNING"

    def leave_process(self) -> None:
        """Give up the process: from now on it may run another query."""
        with self.lock:
            self.process = None

    def kill(self) -> None:
        """End the process that runs the query, if one does."""
        with self.lock:
            if self.process is not None:
                self.process.kill()


class Executions:
    """The executions of one Athena, and the processes that run them."""

    def __init__(self, cloud: Any, folder: Path) -> None:
        self._cloud = cloud
        self._folder = folder
        self.time_limit = float(_TIME_LIMIT_SECONDS)
        self._threads = ThreadPoolExecutor(_MAX_RUNNING, thread_name_prefix="athena")
        self._executions: OrderedDict[str, Execution] = OrderedDict()
        self._ids_by_token: dict[str, str] = {}
        self._lock = threading.Lock()
        # The number of the catalog's changes, and the tables that were read since the last one.
        self._known_tables: tuple[int, dict[Name, Table]] = (0, {})
        for name in ("results", "objects"):
            (folder / name).mkdir(parents=True)
        self._processes = DuckDbPool(folder)
        self._objects = ObjectCache(partial(cloud.client, "s3"), folder / "objects")

    def start(self, execution: Execution) -> str:
        """Queue a query and return its id; a repeated token returns the id of the first."""
        with self._lock:
            if execution.token in self._ids_by_token:
                first = self._executions[self._ids_by_token[execution.token]]
                return self._first_id(execution, first)
            if execution.token:
                self._ids_by_token[execution.token] = execution.id
            self._executions[execution.id] = execution
            self._delete_old_executions()
        self._threads.submit(self._run, execution).add_done_callback(
            lambda future: self._fail_on_exception(execution, future)
        )
        return execution.id

    def _delete_old_executions(self) -> None:
        while len(self._executions) > _MAX_EXECUTIONS:
            _, oldest = self._executions.popitem(last=False)
            self._ids_by_token.pop(oldest.token, None)

    def _first_id(self, execution: Execution, first: Execution) -> str:
        if (execution.sql, execution.parameters) != (first.sql, first.parameters):
            raise invalid("Idempotent parameters do not match")
        return first.id

    def get(self, execution_id: str) -> Execution:
        """Return one execution."""
        if execution_id not in self._executions:
            raise invalid(f"QueryExecution {execution_id} was not found")
        return self._executions[execution_id]

    def poll(self, execution_id: str) -> Execution:
        """Return one execution, after a short wait for its end.

        A caller who polled more often would take time from the query.
        """
        execution = self.get(execution_id)
        execution.has_ended.wait(POLL_SECONDS)
        return execution

    def ids_in_workgroup(self, workgroup: str) -> list[str]:
        """Return the ids of a workgroup's executions, newest first."""
        with self._lock:
            return [
                execution.id
                for execution in reversed(self._executions.values())
                if execution.workgroup == workgroup
            ]

    def stop(self, execution_id: str) -> None:
        """Cancel a query that has not finished."""
        execution = self.get(execution_id)
        execution.finish("CANCELLED", self._now(), "Query cancelled by user")
        execution.kill()

    def result_file(self, execution: Execution) -> Path:
        """Return the file of a result, downloaded from S3 if it is no longer on disk."""
        file = self._result_path(execution)
        if not file.exists():
            self._download_result(execution, file)
        return file

    def restart(self) -> None:
        """Fail every unfinished execution."""
        for execution in list(self._executions.values()):
            if execution.state not in _FINAL_STATES:
                self._fail(execution, QueryFailed("GENERIC_INTERNAL_ERROR", "Athena was restarted"))
            execution.kill()

    def close(self) -> None:
        """End all queries and processes, and delete the files."""
        for execution in list(self._executions.values()):
            execution.finish("CANCELLED", self._now(), "Athena was shut down")
            execution.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._processes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _time_out(self, execution: Execution) -> None:
        execution.finish("FAILED", self._now(), "Query timeout")
        execution.kill()

    def _now(self) -> float:
        return float(self._cloud.clock.now())

    def _result_path(self, execution: Execution) -> Path:
        return self._folder / "results" / Path(execution.output_location).name

    def _download_result(self, execution: Execution, file: Path) -> None:
        location = parse_location(execution.output_location)
        try:
            self._cloud.client("s3").download_file(
                location.bucket, location.key_prefix.removesuffix("/"), str(file)
            )
        except ClientError:
            raise invalid(f"Could not find results in {execution.output_location}") from None

    def _run(self, execution: Execution) -> None:
        """Run an execution in a process, and end both at the time limit."""
        if execution.state in _FINAL_STATES:
            return
        process = self._processes.acquire()
        timer = threading.Timer(self.time_limit, self._time_out, [execution])
        timer.daemon = True
        try:
            if execution.start(self._now(), process):
                timer.start()
                self._run_statement(execution, process)
        finally:
            timer.cancel()
            execution.leave_process()
            self._processes.release(process)

    def _run_statement(self, execution: Execution, process: DuckDbProcess) -> None:
        """Run a statement and finish its execution with the outcome."""
        try:
            with self._objects.in_use():
                execution.outcome = self._write_result(execution, process)
            execution.finish("SUCCEEDED", self._now())
        except QueryCancelled as error:
            execution.finish("CANCELLED", self._now(), str(error))
        except QueryFailed as error:
            self._fail(execution, error)
        except AwsError as error:  # The text of a view in the catalog cannot be parsed.
            self._fail(execution, QueryFailed("SYNTAX_ERROR", error.message))
        except (ClientError, BotoCoreError) as error:
            self._fail(execution, QueryFailed("HIVE_METASTORE_ERROR", str(error)))

    def _fail_on_exception(self, execution: Execution, future: "Future[None]") -> None:
        """Fail an execution whose run raised an unexpected exception."""
        error = None if future.cancelled() else future.exception()
        if error is not None:
            failure = QueryFailed("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            self._fail(execution, failure)

    def _fail(self, execution: Execution, failure: QueryFailed) -> None:
        execution.finish("FAILED", self._now(), str(failure), failure)

    def _write_result(self, execution: Execution, process: DuckDbProcess) -> Outcome:
        """Run a statement and upload its result and the metadata beside it."""
        file = self._result_path(execution)
        session = self._open_session(execution, process, file)
        outcome = execution.statement.run(session)
        location = parse_location(execution.output_location)
        key = location.key_prefix.removesuffix("/")
        if not outcome.manifest:
            with file.open("rb") as result:  # upload_file would start threads for each result.
                session.s3.put_object(Bucket=location.bucket, Key=key, Body=result)
        body = metadata(outcome.columns)
        session.s3.put_object(Bucket=location.bucket, Key=key + ".metadata", Body=body)
        self._delete_old_results()
        return outcome

    def _open_session(self, execution: Execution, process: DuckDbProcess, file: Path) -> Session:
        catalog = self._catalog()
        return Session(
            engine=Engine(catalog, self._objects, process),
            catalog=catalog,
            objects=self._objects,
            s3=self._cloud.client("s3"),
            prepared_statements=execution.prepared_statements,
            database=execution.database,
            now=datetime.fromtimestamp(self._now(), UTC),
            file=file,
            output_location=execution.output_location,
            scan_limit=execution.scan_limit,
        )

    def _catalog(self) -> Catalog:
        """Return the catalog; it remembers tables, which each query reads, until one changes."""
        glue = self._cloud.client("glue")
        if glue.meta.endpoint_url != self._cloud.endpoint:
            return Catalog(glue)
        change_count = self._cloud.change_counts["glue"]
        known_tables = self._known_tables  # Another thread may replace it meanwhile.
        if known_tables[0] != change_count:
            known_tables = self._known_tables = (change_count, {})
        return Catalog(glue, known_tables[1])

    def _delete_old_results(self) -> None:
        with self._lock:
            results = list((self._folder / "results").iterdir())
            for file in sorted(results, key=_last_change)[:-_MAX_RESULT_FILES]:
                file.unlink(missing_ok=True)


def _last_change(file: Path) -> float:
    """Return when a result was written; a part that its query has just removed is the newest."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def describe(execution: Execution) -> Params:
    """Return an execution in the form of GetQueryExecution."""
    status: Params = {"State": execution.state, "SubmissionDateTime": execution.submitted_at}
    if execution.ended_at:
        status["CompletionDateTime"] = execution.ended_at
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.failure:
        status["AthenaError"] = _athena_error(execution.failure)
    context = {"Database": execution.database, "Catalog": CATALOG.lower()}
    description: Params = {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "StatementType": execution.statement.kind,
        "SubstatementType": execution.statement.substatement,
        "ResultConfiguration": {"OutputLocation": execution.output_location},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": {key: value for key, value in context.items() if value},
        "Status": status,
        "Statistics": _statistics(execution),
        "WorkGroup": execution.workgroup,
        "EngineVersion": ENGINE,
    }
    if execution.parameters:
        description["ExecutionParameters"] = list(execution.parameters)
    return description


def _athena_error(failure: QueryFailed) -> Params:
    is_internal = failure.code.startswith("GENERIC_INTERNAL")
    return {
        "ErrorCategory": 1 if is_internal else 2,
        "ErrorType": 1 if is_internal else 1006,
        "Retryable": False,
        "ErrorMessage": str(failure),
    }


def _statistics(execution: Execution) -> Params:
    manifest = execution.outcome.manifest if execution.outcome else ""

    def milliseconds(start: float, end: float) -> int:
        return max(0, round(1000 * (end - start))) if start and end else 0

    return {
        "EngineExecutionTimeInMillis": milliseconds(execution.started_at, execution.ended_at),
        "DataScannedInBytes": execution.outcome.scanned_bytes if execution.outcome else 0,
        "TotalExecutionTimeInMillis": milliseconds(execution.submitted_at, execution.ended_at),
        "QueryQueueTimeInMillis": milliseconds(
            execution.submitted_at, execution.started_at or execution.ended_at
        ),
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
        **({"DataManifestLocation": manifest} if manifest else {}),
    }


def new_id() -> str:
    """Return the id of a new execution."""
    return str(uuid.uuid4())
