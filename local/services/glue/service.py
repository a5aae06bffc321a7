"""Glue: crawlers that really crawl, and a catalog that folds names and locks as on AWS."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.core.errors import not_modelled_message
from local.core.model_limits import check_limits
from local.core.request import ApiRequest, ApiResponse, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.glue import column_statistics
from local.services.glue.catalog_updates import Changes, CrawlFailed, Log
from local.services.glue.crawl import crawl_tables
from local.services.glue.crawler_api import PRINCIPAL, CrawlerApi
from local.services.glue.crawler_state import LOG_GROUP, Crawl, Crawler
from local.services.glue.table_search import search_tables
from local.services.glue.validation import (
    crawl_behavior,
    invalid_input,
    require_current_version,
    target_tables,
)

FAILURES = (ClientError, BotoCoreError, CrawlFailed)
KILLED_MESSAGE = "Internal Service Exception"
# Operations whose parameter `Name` is the name of a database or a table.
OPERATIONS_WITH_NAME = frozenset(
    f"{verb}{kind}"
    for verb in ("Get", "Update", "Delete")
    for kind in ("Database", "Table", "TableVersion", "TableVersions")
)


class Glue(Service):
    """moto's data catalog, and crawlers that add to it what they find in S3."""

    credential_scopes = ("glue",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._crawler_api = CrawlerApi(cloud)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return our response to a crawler operation, and moto's to a catalog operation."""
        check_limits("glue", request.operation, request.params)
        operation = self._crawler_api.operations.get(request.operation)
        if operation is not None:
            return json_response(operation(request.params))
        if request.operation in column_statistics.OPERATIONS:
            return json_response(
                column_statistics.get_column_statistics(self.cloud, request.params)
            )
        if "Crawl" in request.operation:
            raise invalid_input(not_modelled_message(request.operation))
        params = fold_names(request.operation, request.params)
        if request.operation == "SearchTables":
            return json_response(search_tables(self.cloud.client("glue"), params))
        if request.operation == "UpdateTable":
            require_current_version(self.cloud.client("glue"), params)
        if params == request.params:
            return None
        return self.cloud.forward_to_moto(request, json.dumps(params).encode())

    def tick(self) -> bool:
        """Advance each running crawl by one step, and return whether there was any."""
        busy_crawlers = [
            crawler for crawler in self._crawler_api.crawlers() if crawler.state != "READY"
        ]
        for crawler in busy_crawlers:
            self._advance(crawler, crawler.crawls[-1])
        return bool(busy_crawlers)

    def restart(self) -> None:
        """Fail each running crawl; its caller must start it again."""
        for crawler in self._crawler_api.crawlers():
            if crawler.state == "RUNNING":
                crawler.crawls[-1].error = KILLED_MESSAGE
                crawler.stop("FAILED")

    def _advance(self, crawler: Crawler, crawl: Crawl) -> None:
        """Do one step; a crawler stays STOPPING for one tick after its crawl has ended."""
        if crawler.state == "STOPPING":
            crawl.steps = None
            crawler.become_ready(self.cloud.clock.now())
            return
        if crawl.steps is None:
            crawl.steps = self._steps(crawler, crawl)
        try:
            next(crawl.steps)
        except StopIteration as end:
            crawl.changes = end.value
            crawler.stop("COMPLETED")
        except FAILURES as error:
            crawl.error = _error_message(error)
            crawler.stop("FAILED")

    def _steps(self, crawler: Crawler, crawl: Crawl) -> Generator[None, None, Changes]:
        """Crawl with the crawler's role, and log what happens."""
        log = self._log_writer(crawler, crawl.crawl_id)
        log(f"BENCHMARK : Running Start Crawl for Crawler {crawler.name}")
        yield
        glue = self.cloud.client("glue", crawler.role, PRINCIPAL, crawler.arn)
        s3 = self.cloud.client("s3", crawler.role, PRINCIPAL, crawler.arn)
        tables = target_tables(crawler.definition)
        behavior = crawl_behavior(crawler.definition)
        try:
            changes = yield from crawl_tables(glue, s3, tables, behavior, log)
        except FAILURES as error:
            log(f"ERROR : {_error_message(error)}")
            raise
        for line in changes.log_lines():
            log(f"INFO : {line}")
        log("BENCHMARK : Crawler has finished running and is in state READY")
        return changes

    def _log_writer(self, crawler: Crawler, crawl_id: str) -> Log:
        """Return a function that writes a line to the crawler's log stream, creating it first."""
        logs = self.cloud.client("logs", crawler.role, PRINCIPAL, crawler.arn)
        stream = {"logGroupName": LOG_GROUP, "logStreamName": crawler.name}
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=LOG_GROUP)
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_stream(**stream)

        def log(text: str) -> None:
            # moto drops events far in the future, so use the real clock, not the simulated one.
            event = {"timestamp": int(time.time() * 1000), "message": f"[{crawl_id}] {text}"}
            logs.put_log_events(**stream, logEvents=[event])

        return log


def fold_names(operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's parameters with the names of databases and tables in lower case."""
    folded = dict(params)
    name_members = ["DatabaseName", "TableName"]
    if operation in OPERATIONS_WITH_NAME:
        name_members.append("Name")
    for member in name_members:
        if member in params:
            folded[member] = params[member].lower()
    for member in ("DatabaseInput", "TableInput"):
        if member in params:
            folded[member] = {**params[member], "Name": params[member]["Name"].lower()}
    if "TablesToDelete" in params:
        folded["TablesToDelete"] = [name.lower() for name in params["TablesToDelete"]]
    return folded


def _error_message(error: Exception) -> str:
    """Return the reason for a failed crawl as its LastCrawl shows it."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Message"]
    return str(error)
