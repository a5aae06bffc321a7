"""Glue: crawlers that crawl, step by step, and names folded as the catalog folds them."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.core.request import ApiRequest, ApiResponse, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.glue.catalog_updates import Changes, CrawlFailed, Log
from local.services.glue.crawl import crawl
from local.services.glue.crawler_api import PRINCIPAL, Crawlers
from local.services.glue.crawler_state import LOG_GROUP, Crawler, Run
from local.services.glue.validation import behavior, invalid, tables

FAILURES = (ClientError, BotoCoreError, CrawlFailed)
KILLED = "Internal Service Exception"
NAMED_BY_NAME = frozenset(
    f"{verb}{kind}"
    for verb in ("Get", "Update", "Delete")
    for kind in ("Database", "Table", "TableVersion", "TableVersions")
)


class Glue(Service):
    """The data catalog: moto keeps it, and crawlers add to it what they find."""

    credential_scopes = ("glue",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._crawlers = Crawlers(cloud)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call about crawlers, and moto's to the catalog's own."""
        if operation := self._crawlers.operations.get(request.operation):
            return json_response(operation(request.params))
        if "Crawl" in request.operation:
            raise invalid(f"{request.operation} is not modelled by the laptop cloud.")
        params = request.params
        folded = folded_names(request.operation, params)
        return (
            self.cloud.forward_to_moto(request, json.dumps(folded).encode())
            if folded != params
            else None
        )

    def tick(self) -> bool:
        """Bring each crawl that is under way one piece further."""
        busy = [crawler for crawler in self._crawlers.all() if crawler.state != "READY"]
        for crawler in busy:
            self._advance(crawler, crawler.runs[-1])
        return bool(busy)

    def restart(self) -> None:
        """Let each crawl that is under way fail; whoever started it starts it again."""
        for crawler in self._crawlers.all():
            if crawler.state == "RUNNING":
                crawler.runs[-1].error = KILLED
                crawler.stop("FAILED")

    def _advance(self, crawler: Crawler, run: Run) -> None:
        """Do a piece of the work; a crawl whose work is over stays STOPPING for one step."""
        if crawler.state == "STOPPING":
            run.work = None
            crawler.rest(self.cloud.clock.now())
            return
        run.work = run.work or self._work(crawler, run)
        try:
            next(run.work)
        except StopIteration as end:
            run.changes = end.value
            crawler.stop("COMPLETED")
        except FAILURES as error:
            run.error = _reason(error)
            crawler.stop("FAILED")

    def _work(self, crawler: Crawler, run: Run) -> Generator[None, None, Changes]:
        """Crawl as the crawler's role, and tell its log what happens."""
        log = self._log(crawler, run.run_id)
        log(f"BENCHMARK : Running Start Crawl for Crawler {crawler.name}")
        yield
        acting = (crawler.role, PRINCIPAL, crawler.arn)
        glue, s3 = (self.cloud.client(service, *acting) for service in ("glue", "s3"))
        targets, may = tables(crawler.definition), behavior(crawler.definition)
        try:
            changes = yield from crawl(glue, s3, targets, may, log)
        except FAILURES as error:
            log(f"ERROR : {_reason(error)}")
            raise
        for line in changes.lines():
            log(f"INFO : {line}")
        log("BENCHMARK : Crawler has finished running and is in state READY")
        return changes

    def _log(self, crawler: Crawler, run_id: str) -> Log:
        """Return what writes a line into the crawler's log stream, which it makes if need be."""
        logs = self.cloud.client("logs", crawler.role, PRINCIPAL, crawler.arn)
        stream = {"logGroupName": LOG_GROUP, "logStreamName": crawler.name}
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=LOG_GROUP)
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(**stream)

        def log(text: str) -> None:
            # By the real clock: moto drops events that lie far ahead of it.
            event = {"timestamp": int(time.time() * 1000), "message": f"[{run_id}] {text}"}
            logs.put_log_events(**stream, logEvents=[event])

        return log


def folded_names(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's parameters with the names of databases and tables in lower case."""
    folded = dict(params)
    for member in ("DatabaseName", "TableName", *(["Name"] if operation in NAMED_BY_NAME else [])):
        if member in params:
            folded[member] = params[member].lower()
    for member in ("DatabaseInput", "TableInput"):
        if member in params:
            folded[member] = {**params[member], "Name": params[member]["Name"].lower()}
    if "TablesToDelete" in params:
        folded["TablesToDelete"] = [name.lower() for name in params["TablesToDelete"]]
    return folded


def _reason(error: Exception) -> str:
    """Return why a crawl failed, as its LastCrawl says it."""
    return error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)
