"""Glue's operations on crawlers, for moto only records that there are some."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from moto.utilities.utils import get_partition

from local.core.request import AwsError
from local.core.server import ACCOUNT, Cloud
from local.services.glue.crawler_state import Crawler, Run, described, metrics, recorded
from local.services.glue.validation import Definition, checked, invalid
from local.services.iam.roles import assume_role_context, is_assumable

PRINCIPAL = "glue.amazonaws.com"
Params = Mapping[str, Any]


class Crawlers:
    """The crawlers of the account, and the operations that make, change and start them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._by_name: dict[str, Crawler] = {}
        self.operations: Mapping[str, Callable[[Params], Params]] = {
            "CreateCrawler": self._create,
            "UpdateCrawler": self._update,
            "DeleteCrawler": self._delete,
            "GetCrawler": lambda params: {"Crawler": self._described(self._named(params["Name"]))},
            "GetCrawlers": self._get_all,
            "BatchGetCrawlers": self._get_some,
            "ListCrawlers": self._list,
            "StartCrawler": self._start,
            "StopCrawler": self._stop,
            "ListCrawls": self._list_crawls,
            "GetCrawlerMetrics": self._metrics,
        }

    def all(self) -> list[Crawler]:
        """Return every crawler."""
        return list(self._by_name.values())

    def _create(self, params: Params) -> Params:
        definition = dict(params)
        tags = definition.pop("Tags", {})
        if params["Name"] in self._by_name:
            raise AwsError("AlreadyExistsException", f"Crawler {params['Name']} already exists")
        crawler = self._checked(definition)
        if tags:
            self._cloud.client("glue").tag_resource(ResourceArn=crawler.arn, TagsToAdd=tags)
        self._by_name[crawler.name] = crawler
        return {}

    def _update(self, params: Params) -> Params:
        before = self._at_rest(params["Name"])
        after = self._checked({**before.definition, **params})
        after.created, after.version, after.runs = before.created, before.version + 1, before.runs
        self._by_name[after.name] = after
        return {}

    def _delete(self, params: Params) -> Params:
        crawler = self._at_rest(params["Name"])
        if names := list(self._tags(crawler)):
            glue = self._cloud.client("glue")
            glue.untag_resource(ResourceArn=crawler.arn, TagsToRemove=names)
        del self._by_name[crawler.name]
        return {}

    def _start(self, params: Params) -> Params:
        crawler = self._named(params["Name"])
        if not crawler.start(Run(str(uuid4()), self._cloud.clock.now())):
            message = f"Crawler with name {crawler.name} has already started"
            raise AwsError("CrawlerRunningException", message)
        return {}

    def _stop(self, params: Params) -> Params:
        crawler = self._named(params["Name"])
        stopping = crawler.state == "STOPPING"
        if not crawler.stop("STOPPED"):
            code = "CrawlerStoppingException" if stopping else "CrawlerNotRunningException"
            raise AwsError(code, f"Crawler with name {crawler.name} isn't running")
        return {}

    def _get_all(self, params: Params) -> Params:
        page, more = _page(self.all(), params)
        return {"Crawlers": [self._described(crawler) for crawler in page], **more}

    def _get_some(self, params: Params) -> Params:
        names = params["CrawlerNames"]
        there = [self._described(self._by_name[name]) for name in names if name in self._by_name]
        return {
            "Crawlers": there,
            "CrawlersNotFound": [name for name in names if name not in self._by_name],
        }

    def _list(self, params: Params) -> Params:
        wanted = params.get("Tags", {}).items()
        found = self.all()
        if wanted:
            found = [crawler for crawler in found if wanted <= self._tags(crawler).items()]
        page, more = _page([crawler.name for crawler in found], params)
        return {"CrawlerNames": page, **more}

    def _list_crawls(self, params: Params) -> Params:
        if params.get("Filters"):
            raise invalid("Filters of ListCrawls are not modelled by the laptop cloud.")
        crawler = self._named(params["CrawlerName"])
        page, more = _page(crawler.runs[::-1], params)
        return {"Crawls": [recorded(crawler, run) for run in page], **more}

    def _metrics(self, params: Params) -> Params:
        names = params.get("CrawlerNameList") or list(self._by_name)
        page, more = _page([self._named(name) for name in names], params)
        return {"CrawlerMetricsList": [metrics(crawler) for crawler in page], **more}

    def _described(self, crawler: Crawler) -> Params:
        return described(crawler, self._cloud.clock.now())

    def _named(self, name: str) -> Crawler:
        if name not in self._by_name:
            message = f"Crawler entry with name {name} does not exist"
            raise AwsError("EntityNotFoundException", message)
        return self._by_name[name]

    def _at_rest(self, name: str) -> Crawler:
        crawler = self._named(name)
        if crawler.state != "READY":
            message = f"Crawler with name {name} is {crawler.state.lower()}"
            raise AwsError("CrawlerRunningException", message)
        return crawler

    def _tags(self, crawler: Crawler) -> dict[str, str]:
        return self._cloud.client("glue").get_tags(ResourceArn=crawler.arn)["Tags"]

    def _checked(self, definition: Definition) -> Crawler:
        """Return a new crawler of that definition, unless AWS would refuse it."""
        region, now = self._cloud.region, self._cloud.clock.now()
        crawler = Crawler(checked(definition), get_partition(region), region, ACCOUNT, now, now)
        keys = {**assume_role_context(crawler.role, PRINCIPAL), "aws:SourceArn": crawler.arn}
        if not is_assumable(self._cloud.client("iam"), crawler.role, PRINCIPAL, keys):
            raise invalid(
                "Service is unable to assume provided role. Please verify role's TrustPolicy."
            )
        return crawler


def _page(items: list[Any], params: Params) -> tuple[list[Any], dict[str, str]]:
    """Return one page of an answer, and the token of the next if there is one."""
    token = params.get("NextToken") or "0"
    if not re.fullmatch("[0-9]{1,9}", token):
        raise invalid(f"NextToken {token} is not one that an answer gave.")
    start = int(token)
    end = start + params.get("MaxResults", 1000)
    return items[start:end], {"NextToken": str(end)} if end < len(items) else {}
