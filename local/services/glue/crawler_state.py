"""A crawler and its crawls: their states, and how AWS describes them."""

import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from local.services.glue.catalog_updates import Changes
from local.services.glue.validation import TARGET_KINDS, Definition

LOG_GROUP = "/aws-glue/crawlers"
LAST_CRAWL_STATUS = {"COMPLETED": "SUCCEEDED", "FAILED": "FAILED", "STOPPED": "CANCELLED"}


@dataclass(slots=True)
class Crawl:
    """One crawl, running or ended; `steps` is the generator that does the work."""

    crawl_id: str
    started_at: float
    steps: Generator[None, None, Changes] | None = None
    state: str = "RUNNING"
    ended_at: float | None = None
    changes: Changes = field(default_factory=Changes)
    error: str = ""


@dataclass(slots=True)
class Crawler:
    """A crawler's definition and state: READY, RUNNING, STOPPING, and READY again."""

    definition: Definition
    partition: str
    region: str
    account: str
    created_at: float
    updated_at: float
    version: int = 1
    state: str = "READY"
    crawls: list[Crawl] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        """The crawler's name."""
        return str(self.definition["Name"])

    @property
    def arn(self) -> str:
        """The crawler's ARN."""
        return f"arn:{self.partition}:glue:{self.region}:{self.account}:crawler/{self.name}"

    @property
    def role(self) -> str:
        """The ARN of the crawler's role, which the definition may give by name."""
        role: str = self.definition["Role"]
        if role.startswith("arn:"):
            return role
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def start(self, crawl: Crawl) -> bool:
        """Start a crawl if the crawler is READY, and return whether it was."""
        with self._lock:
            if self.state != "READY":
                return False
            self.crawls.append(crawl)
            self.state = "RUNNING"
            return True

    def stop(self, outcome: str) -> bool:
        """End the running crawl with an outcome, and return whether there was one."""
        with self._lock:
            if self.state != "RUNNING":
                return False
            self.crawls[-1].state = outcome
            self.state = "STOPPING"
            return True

    def become_ready(self, now: float) -> None:
        """Complete the transition from STOPPING to READY."""
        with self._lock:
            self.crawls[-1].ended_at = now
            self.state = "READY"


def describe_crawler(crawler: Crawler, now: float) -> dict[str, Any]:
    """Return a crawler as GetCrawler shows it: the role without its account's ARN prefix."""
    elapsed = now - crawler.crawls[-1].started_at if crawler.state == "RUNNING" else 0
    description = {
        **crawler.definition,
        "Role": crawler.role.partition(":role/")[2],
        "Targets": {kind: crawler.definition["Targets"].get(kind, []) for kind in TARGET_KINDS},
        "State": crawler.state,
        "CrawlElapsedTime": int(elapsed * 1000),
        "CreationTime": crawler.created_at,
        "LastUpdated": crawler.updated_at,
        "Version": crawler.version,
    }
    ended_crawls = [crawl for crawl in crawler.crawls if crawl.ended_at is not None]
    if ended_crawls:
        description["LastCrawl"] = _describe_last_crawl(crawler, ended_crawls[-1])
    return description


def describe_crawl(crawler: Crawler, crawl: Crawl) -> dict[str, Any]:
    """Return a crawl as ListCrawls shows it."""
    description = {
        "CrawlId": crawl.crawl_id,
        "State": crawl.state,
        "StartTime": crawl.started_at,
        "Summary": crawl.changes.summary(),
        **_log_and_error(crawler, crawl),
    }
    if crawl.ended_at is not None:
        description["EndTime"] = crawl.ended_at
    return description


def crawler_metrics(crawler: Crawler) -> dict[str, Any]:
    """Return a crawler's entry of GetCrawlerMetrics."""
    durations = [
        crawl.ended_at - crawl.started_at for crawl in crawler.crawls if crawl.ended_at is not None
    ]
    return {
        "CrawlerName": crawler.name,
        "TimeLeftSeconds": 0.0,
        "StillEstimating": crawler.state != "READY",
        "LastRuntimeSeconds": durations[-1] if durations else 0.0,
        "MedianRuntimeSeconds": median(durations) if durations else 0.0,
        "TablesCreated": 0,
        "TablesUpdated": crawler.crawls[-1].changes.tables_updated if crawler.crawls else 0,
        "TablesDeleted": 0,
    }


def _describe_last_crawl(crawler: Crawler, crawl: Crawl) -> dict[str, Any]:
    return {
        "Status": LAST_CRAWL_STATUS[crawl.state],
        "StartTime": crawl.started_at,
        **_log_and_error(crawler, crawl),
    }


def _log_and_error(crawler: Crawler, crawl: Crawl) -> Mapping[str, str]:
    members = {
        "LogGroup": LOG_GROUP,
        "LogStream": crawler.name,
        "MessagePrefix": crawl.crawl_id,
    }
    if crawl.error:
        members["ErrorMessage"] = crawl.error[:2048]
    return members
