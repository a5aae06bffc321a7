"""Query executions: started by a call, run one after another, asked about until they are done."""

import shutil
import threading
import time
import uuid
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.core.request import AwsError
from local.services.athena.api.results import Outcome, metadata
from local.services.athena.api.statements import Session, Statement
from local.services.athena.api.workgroups import ENGINE, Params, invalid
from local.services.athena.backend.engine import Engine
from local.services.athena.errors import QueryCancelled, QueryFailed
from local.services.athena.storage.glue_catalog import CATALOG, Catalog
from local.services.athena.storage.object_cache import ObjectCache
from local.services.athena.storage.partitions import parse_location

_DONE = ("SUCCEEDED", "FAILED", "CANCELLED")
_KEPT = 10_000  # Executions that are remembered.
_KEPT_FILES = 50  # Results that stay on the disk; older ones are fetched from S3 again.
_BETWEEN_INTERRUPTS = 0.01  # seconds


@dataclass
class Execution:
    """One query on its way."""

    id: str
    sql: str
    statement: Statement
    database: str
    group: str
    output: str
    parameters: tuple[str, ...]
    limit: int | None
    submitted: float
    state: str = "QUEUED"
    reason: str = ""
    failed: QueryFailed | None = None
    outcome: Outcome | None = None
    started: float = 0.0
    ended: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ends(
        self, state: str, now: float, reason: str = "", failed: QueryFailed | None = None
    ) -> None:
        """Reach a final state, unless one is reached already."""
        with self.lock:
            if self.state not in _DONE:
                self.reason, self.failed, self.ended = reason, failed, now
                self.state = state  # Last: who sees it may ask for the rest.

    def runs(self, now: float) -> bool:
        """Begin to run, and return whether it may."""
        with self.lock:
            if self.state == "QUEUED":
                self.state, self.started = "RUNNING", now
            return self.state == "RUNNING"


class Executions:
    """All executions of the laptop's Athena."""

    def __init__(self, cloud: Any, folder: Path) -> None:
        self._cloud = cloud
        self._folder = folder
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="athena")
        self._all: OrderedDict[str, Execution] = OrderedDict()
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._objects: ObjectCache | None = None
        self._running: Execution | None = None
        self._turn = threading.Lock()  # Held to change `_running`, and to act on it.

    def start(self, execution: Execution, token: str) -> str:
        """Let a query run when its turn comes, and return its id; a token counts once."""
        with self._lock:
            if token and token in self._tokens and self._tokens[token] in self._all:
                return self._repeated(execution, self._all[self._tokens[token]])
            self._tokens[token] = execution.id
            self._all[execution.id] = execution
            while len(self._all) > _KEPT:
                self._all.popitem(last=False)
        self._worker.submit(self._run, execution).add_done_callback(
            lambda done: self._broken(execution, done)
        )
        return execution.id

    def _repeated(self, execution: Execution, first: Execution) -> str:
        if (execution.sql, execution.parameters) != (first.sql, first.parameters):
            raise invalid("Idempotent parameters do not match")
        return first.id

    def get(self, key: str) -> Execution:
        """Return one execution."""
        if key not in self._all:
            raise invalid(f"QueryExecution {key} was not found")
        return self._all[key]

    def of(self, group: str) -> list[str]:
        """Return the ids of a workgroup's executions, the newest first."""
        with self._lock:
            return [key for key, one in reversed(self._all.items()) if one.group == group]

    def stop(self, key: str) -> None:
        """Cancel a query that is not done."""
        execution = self.get(key)
        execution.ends("CANCELLED", self._now(), "Query cancelled by user")
        self._interrupt(execution)

    def file(self, execution: Execution) -> Path:
        """Return the file of a result, fetched from S3 where it is no longer here."""
        file = self._file(execution)
        if not file.exists():
            self._copied_back(execution, file)
        return file

    def restart(self) -> None:
        """Let all fail that is not done, and forget what of the lake is cached."""
        for execution in list(self._all.values()):
            if execution.state not in _DONE:
                self._fail(execution, QueryFailed("GENERIC_INTERNAL_ERROR", "Athena was killed"))
        self._interrupt(self._running)
        self._worker.submit(self._forget)

    def close(self) -> None:
        """End the thread, the database and the files."""
        for execution in list(self._all.values()):
            execution.ends("CANCELLED", self._now(), "Athena was closed")
        self._interrupt(self._running)
        self._worker.shutdown(wait=True, cancel_futures=True)
        if self._engine:
            self._engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _interrupt(self, execution: Execution | None) -> None:
        """Wait until an execution that has ended lets go of the engine.

        One interrupt is not enough: DuckDB forgets one that comes while it does nothing, as
        before a query that is still planned.
        """
        while execution is not None and self._interrupted(execution):
            time.sleep(_BETWEEN_INTERRUPTS)

    def _interrupted(self, execution: Execution) -> bool:
        """Interrupt an execution, and return whether it has the engine."""
        with self._turn:
            if self._running is execution and self._engine:
                self._engine.interrupt()
            return self._running is execution

    def _forget(self) -> None:
        if self._engine:
            self._engine.close()
        self._engine = self._objects = None
        shutil.rmtree(self._folder / "objects", ignore_errors=True)

    def _now(self) -> float:
        return self._cloud.clock.now()

    def _file(self, execution: Execution) -> Path:
        return self._folder / "results" / (execution.id + execution.statement.suffix)

    def _copied_back(self, execution: Execution, file: Path) -> None:
        where = parse_location(execution.output)
        try:
            self._cloud.client("s3").download_file(
                where.bucket, where.key_prefix.removesuffix("/"), str(file)
            )
        except ClientError:
            raise invalid(f"Could not find results in {execution.output}") from None

    def _run(self, execution: Execution) -> None:
        self._runs_now(execution)
        try:
            if execution.runs(self._now()):
                self._finish(execution)
        finally:
            self._runs_now(None)

    def _runs_now(self, execution: Execution | None) -> None:
        with self._turn:
            self._running = execution

    def _finish(self, execution: Execution) -> None:
        """Bring an execution to its end, whichever that is."""
        try:
            execution.outcome = self._outcome(execution)
            execution.ends("SUCCEEDED", self._now())
        except QueryCancelled as cancelled:
            execution.ends("CANCELLED", self._now(), str(cancelled))
        except QueryFailed as failed:
            self._fail(execution, failed)
        except AwsError as refused:  # A view in the catalog that cannot be read.
            self._fail(execution, QueryFailed("SYNTAX_ERROR", refused.message))
        except (ClientError, BotoCoreError) as error:
            self._fail(execution, QueryFailed("HIVE_METASTORE_ERROR", str(error)))

    def _broken(self, execution: Execution, done: "Future[None]") -> None:
        """Let a fault of the laptop's Athena end its query too, with its name."""
        error = None if done.cancelled() else done.exception()
        if error is not None:
            failed = QueryFailed("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}")
            self._fail(execution, failed)

    def _fail(self, execution: Execution, failed: QueryFailed) -> None:
        execution.ends("FAILED", self._now(), str(failed), failed)

    def _outcome(self, execution: Execution) -> Outcome:
        file = self._file(execution)
        session = self._session(execution, file)
        outcome = execution.statement.run(session)
        where = parse_location(execution.output)
        key = where.key_prefix.removesuffix("/")
        s3 = self._cloud.client("s3")
        s3.upload_file(str(file), where.bucket, key)
        s3.put_object(Bucket=where.bucket, Key=key + ".metadata", Body=metadata(outcome.columns))
        self._evict()
        return outcome

    def _session(self, execution: Execution, file: Path) -> Session:
        catalog = Catalog(self._cloud.client("glue"))
        if self._engine is None or self._objects is None:
            for name in ("results", "objects"):
                (self._folder / name).mkdir(parents=True, exist_ok=True)
            self._objects = ObjectCache(self._cloud.client("s3"), self._folder / "objects")
            self._engine = Engine(catalog, self._objects, self._folder)
        now = datetime.fromtimestamp(self._now(), timezone.utc)
        return Session(
            self._engine, catalog, self._objects, execution.database, now, file, execution.limit
        )

    def _evict(self) -> None:
        files = sorted((self._folder / "results").iterdir(), key=lambda file: file.stat().st_mtime)
        for file in files[:-_KEPT_FILES]:
            file.unlink()


def told(execution: Execution) -> Params:
    """Return an execution as GetQueryExecution does."""
    status: Params = {"State": execution.state, "SubmissionDateTime": execution.submitted}
    if execution.ended:
        status["CompletionDateTime"] = execution.ended
    if execution.reason:
        status["StateChangeReason"] = execution.reason
    if execution.failed:
        status["AthenaError"] = _athena_error(execution.failed)
    context = {"Database": execution.database, "Catalog": CATALOG.lower()}
    return {
        "QueryExecutionId": execution.id,
        "Query": execution.sql,
        "StatementType": execution.statement.kind,
        "SubstatementType": execution.statement.substatement,
        "ResultConfiguration": {"OutputLocation": execution.output},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": {key: value for key, value in context.items() if value},
        "Status": status,
        "Statistics": _statistics(execution),
        "WorkGroup": execution.group,
        "EngineVersion": ENGINE,
        **({"ExecutionParameters": list(execution.parameters)} if execution.parameters else {}),
    }


def _athena_error(failed: QueryFailed) -> Params:
    internal = failed.code.startswith("GENERIC_INTERNAL")
    return {
        "ErrorCategory": 1 if internal else 2,
        "ErrorType": 1 if internal else 1006,
        "Retryable": False,
        "ErrorMessage": str(failed),
    }


def _statistics(execution: Execution) -> Params:
    def milliseconds(start: float, end: float) -> int:
        return max(0, round(1000 * (end - start))) if start and end else 0

    return {
        "EngineExecutionTimeInMillis": milliseconds(execution.started, execution.ended),
        "DataScannedInBytes": execution.outcome.scanned if execution.outcome else 0,
        "TotalExecutionTimeInMillis": milliseconds(execution.submitted, execution.ended),
        "QueryQueueTimeInMillis": milliseconds(
            execution.submitted, execution.started or execution.ended
        ),
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }


def new_id() -> str:
    """Return the id of a new execution."""
    return str(uuid.uuid4())
