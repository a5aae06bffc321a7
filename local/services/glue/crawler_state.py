"""A crawler and its crawls: the states they pass through, and how AWS describes them."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from local.services.glue.catalog_updates import Changes
from local.services.glue.validation import TARGET_KINDS, Definition

LOG_GROUP = "/aws-glue/crawlers"
LAST_STATUS = {"COMPLETED": "SUCCEEDED", "FAILED": "FAILED", "STOPPED": "CANCELLED"}


@dataclass(slots=True)
class Run:
    """One crawl, under way or over; `work` is what is left of it to do."""

    run_id: str
    started: float
    work: Generator[None, None, Changes] | None = None
    state: str = "RUNNING"
    ended: float | None = None
    changes: Changes = field(default_factory=Changes)
    error: str = ""


@dataclass(slots=True)
class Crawler:
    """A crawler as it was defined: READY, RUNNING, STOPPING, and READY again."""

    definition: Definition
    partition: str
    region: str
    account: str
    created: float
    updated: float
    version: int = 1
    state: str = "READY"
    runs: list[Run] = field(default_factory=list)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition["Name"]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:{self.partition}:glue:{self.region}:{self.account}:crawler/{self.name}"

    @property
    def role(self) -> str:
        """The ARN of its role, which may be defined by name."""
        role = self.definition["Role"]
        if role.startswith("arn:"):
            return role
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def start(self, run: Run) -> bool:
        """Begin a crawl, and return whether the crawler was at rest."""
        with self._changing:
            if self.state != "READY":
                return False
            self.runs.append(run)
            self.state = "RUNNING"
            return True

    def stop(self, outcome: str) -> bool:
        """End the crawl under way with an outcome, and return whether there was one."""
        with self._changing:
            if self.state != "RUNNING":
                return False
            self.runs[-1].state = outcome
            self.state = "STOPPING"
            return True

    def rest(self, now: float) -> None:
        """Be ready for the next crawl."""
        with self._changing:
            self.runs[-1].ended = now
            self.state = "READY"


def described(crawler: Crawler, now: float) -> dict[str, Any]:
    """Return a crawler as GetCrawler shows it: its role without what the account implies."""
    finished = [run for run in crawler.runs if run.ended is not None]
    seconds = now - crawler.runs[-1].started if crawler.state == "RUNNING" else 0
    targets = {kind: crawler.definition["Targets"].get(kind, []) for kind in TARGET_KINDS}
    return {
        **crawler.definition,
        "Role": crawler.role.partition(":role/")[2],
        "Targets": targets,
        "State": crawler.state,
        "CrawlElapsedTime": int(seconds * 1000),
        "CreationTime": crawler.created,
        "LastUpdated": crawler.updated,
        "Version": crawler.version,
        **({"LastCrawl": _last_crawl(crawler, finished[-1])} if finished else {}),
    }


def recorded(crawler: Crawler, run: Run) -> dict[str, Any]:
    """Return a crawl as ListCrawls shows it."""
    return {
        "CrawlId": run.run_id,
        "State": run.state,
        "StartTime": run.started,
        **({"EndTime": run.ended} if run.ended is not None else {}),
        "Summary": run.changes.summary(),
        **_told(crawler, run),
    }


def metrics(crawler: Crawler) -> dict[str, Any]:
    """Return a crawler's line of GetCrawlerMetrics."""
    seconds = [run.ended - run.started for run in crawler.runs if run.ended is not None]
    return {
        "CrawlerName": crawler.name,
        "TimeLeftSeconds": 0.0,
        "StillEstimating": crawler.state != "READY",
        "LastRuntimeSeconds": seconds[-1] if seconds else 0.0,
        "MedianRuntimeSeconds": median(seconds) if seconds else 0.0,
        "TablesCreated": 0,
        "TablesUpdated": crawler.runs[-1].changes.tables_updated if crawler.runs else 0,
        "TablesDeleted": 0,
    }


def _last_crawl(crawler: Crawler, run: Run) -> dict[str, Any]:
    status = LAST_STATUS[run.state]
    return {"Status": status, "StartTime": run.started, **_told(crawler, run)}


def _told(crawler: Crawler, run: Run) -> Mapping[str, str]:
    """Return where a crawl's log is, and why it failed."""
    error = {"ErrorMessage": run.error[:2048]} if run.error else {}
    return {
        "LogGroup": LOG_GROUP,
        "LogStream": crawler.name,
        "MessagePrefix": run.run_id,
        **error,
    }
