"""The Glue crawler API: moto stores crawlers but never runs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import uuid4

from moto.utilities.utils import get_partition

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.core.server import ACCOUNT, Cloud
from local.services.glue.crawler_state import (
    Crawl,
    Crawler,
    crawler_metrics,
    describe_crawl,
    describe_crawler,
)
from local.services.glue.validation import Definition, invalid_input, validate_definition
from local.services.iam.roles import assume_role_context, is_assumable

PRINCIPAL = "glue.amazonaws.com"
Params = Mapping[str, Any]
T = TypeVar("T")


class CrawlerApi:
    """The crawlers of the account, and the operations that create, change and start them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._by_name: dict[str, Crawler] = {}
        self.operations: Mapping[str, Callable[[Params], Params]] = {
            "CreateCrawler": self._create_crawler,
            "UpdateCrawler": self._update_crawler,
            "DeleteCrawler": self._delete_crawler,
            "GetCrawler": self._get_crawler,
            "GetCrawlers": self._get_crawlers,
            "BatchGetCrawlers": self._batch_get_crawlers,
            "ListCrawlers": self._list_crawlers,
            "StartCrawler": self._start_crawler,
            "StopCrawler": self._stop_crawler,
            "ListCrawls": self._list_crawls,
            "GetCrawlerMetrics": self._get_crawler_metrics,
        }

    def crawlers(self) -> list[Crawler]:
        """Return every crawler."""
        return list(self._by_name.values())

    def _create_crawler(self, params: Params) -> Params:
        definition = dict(params)
        tags = definition.pop("Tags", {})
        if params["Name"] in self._by_name:
            raise AwsError("AlreadyExistsException", f"Crawler {params['Name']} already exists")
        crawler = self._build_crawler(definition)
        if tags:
            self._cloud.client("glue").tag_resource(ResourceArn=crawler.arn, TagsToAdd=tags)
        self._by_name[crawler.name] = crawler
        return {}

    def _update_crawler(self, params: Params) -> Params:
        old = self._ready_crawler(params["Name"])
        new = self._build_crawler({**old.definition, **params})
        new.created_at = old.created_at
        new.version = old.version + 1
        new.crawls = old.crawls
        self._by_name[new.name] = new
        return {}

    def _delete_crawler(self, params: Params) -> Params:
        crawler = self._ready_crawler(params["Name"])
        tag_keys = list(self._tags(crawler))
        if tag_keys:
            glue = self._cloud.client("glue")
            glue.untag_resource(ResourceArn=crawler.arn, TagsToRemove=tag_keys)
        del self._by_name[crawler.name]
        return {}

    def _start_crawler(self, params: Params) -> Params:
        crawler = self._crawler(params["Name"])
        if not crawler.start(Crawl(str(uuid4()), self._cloud.clock.now())):
            message = f"Crawler with name {crawler.name} has already started"
            raise AwsError("CrawlerRunningException", message)
        return {}

    def _stop_crawler(self, params: Params) -> Params:
        crawler = self._crawler(params["Name"])
        was_stopping = crawler.state == "STOPPING"
        if not crawler.stop("STOPPED"):
            code = "CrawlerStoppingException" if was_stopping else "CrawlerNotRunningException"
            raise AwsError(code, f"Crawler with name {crawler.name} isn't running")
        return {}

    def _get_crawler(self, params: Params) -> Params:
        return {"Crawler": self._describe(self._crawler(params["Name"]))}

    def _get_crawlers(self, params: Params) -> Params:
        page, next_token = _page(self.crawlers(), params)
        return {"Crawlers": [self._describe(crawler) for crawler in page], **next_token}

    def _batch_get_crawlers(self, params: Params) -> Params:
        names = params["CrawlerNames"]
        crawlers = [self._by_name[name] for name in names if name in self._by_name]
        return {
            "Crawlers": [self._describe(crawler) for crawler in crawlers],
            "CrawlersNotFound": [name for name in names if name not in self._by_name],
        }

    def _list_crawlers(self, params: Params) -> Params:
        crawlers = self.crawlers()
        tags = params.get("Tags", {}).items()
        if tags:
            crawlers = [crawler for crawler in crawlers if tags <= self._tags(crawler).items()]
        page, next_token = _page([crawler.name for crawler in crawlers], params)
        return {"CrawlerNames": page, **next_token}

    def _list_crawls(self, params: Params) -> Params:
        if params.get("Filters"):
            raise invalid_input(not_modelled_message("Filters of ListCrawls"))
        crawler = self._crawler(params["CrawlerName"])
        page, next_token = _page(crawler.crawls[::-1], params)
        return {"Crawls": [describe_crawl(crawler, crawl) for crawl in page], **next_token}

    def _get_crawler_metrics(self, params: Params) -> Params:
        names = params.get("CrawlerNameList") or list(self._by_name)
        page, next_token = _page([self._crawler(name) for name in names], params)
        return {"CrawlerMetricsList": [crawler_metrics(crawler) for crawler in page], **next_token}

    def _describe(self, crawler: Crawler) -> Params:
        return describe_crawler(crawler, self._cloud.clock.now())

    def _crawler(self, name: str) -> Crawler:
        if name not in self._by_name:
            message = f"Crawler entry with name {name} does not exist"
            raise AwsError("EntityNotFoundException", message)
        return self._by_name[name]

    def _ready_crawler(self, name: str) -> Crawler:
        crawler = self._crawler(name)
        if crawler.state != "READY":
            message = f"Crawler with name {name} is {crawler.state.lower()}"
            raise AwsError("CrawlerRunningException", message)
        return crawler

    def _tags(self, crawler: Crawler) -> dict[str, str]:
        tags: dict[str, str] = self._cloud.client("glue").get_tags(ResourceArn=crawler.arn)["Tags"]
        return tags

    def _build_crawler(self, definition: Definition) -> Crawler:
        """Return a new crawler, or raise the error with which AWS rejects its definition."""
        region = self._cloud.region
        now = self._cloud.clock.now()
        complete_definition = validate_definition(definition)
        crawler = Crawler(complete_definition, get_partition(region), region, ACCOUNT, now, now)
        context = {**assume_role_context(crawler.role, PRINCIPAL), "aws:SourceArn": crawler.arn}
        if not is_assumable(self._cloud.client("iam"), crawler.role, PRINCIPAL, context):
            raise invalid_input(
                "Service is unable to assume provided role. Please verify role's TrustPolicy."
            )
        return crawler


def _page(items: list[T], params: Params) -> tuple[list[T], dict[str, str]]:
    """Return one page of items, and the response member NextToken if there are more."""
    token = params.get("NextToken") or "0"
    if not re.fullmatch("[0-9]{1,9}", token):
        raise invalid_input(f"NextToken {token} is invalid.")
    start = int(token)
    end = start + params.get("MaxResults", 1000)
    next_token = {"NextToken": str(end)} if end < len(items) else {}
    return items[start:end], next_token
