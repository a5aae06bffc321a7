"""Columns of the images: asks the lake which attributes its items have, one level of maps at once.

A crawler reads only the first megabyte of each file, so it misses an attribute that is rare. Athena
reads every image, but only those of the days to which objects were added since it was last asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import boto3

from setup import names
from setup.lib.athena import fetch_rows
from setup.lib.column_limit import MAX_COLUMNS
from transform.columns import MAX_MAP_MEMBERS, Path, column_name, columns_of_paths

# An object may appear later than the time of its upload, which S3 shows.
UPLOAD_MARGIN = timedelta(hours=1)
DAY_FOLDER = re.compile(rf"{names.LAKE}dt=([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})/")
# The members of each image that a row has its columns from.
IMAGES_SQL = f"""
  SELECT CAST(json_parse(
    CASE cdc_operation WHEN 'REMOVE' THEN cdc_old_image ELSE cdc_new_image END
  ) AS MAP(VARCHAR, JSON)) AS cdc_members
  FROM {names.CHANGES}
  WHERE dt IN ({{days}})"""
# Each member with its path, one column for each name on it, and its own members if it is a map.
MEMBERS_SQL = """
  SELECT {outer_names}cdc_name AS {name}, CAST(element_at(
    CAST(element_at(cdc_members, cdc_name) AS MAP(VARCHAR, JSON)), 'M'
  ) AS MAP(VARCHAR, JSON)) AS cdc_members
  FROM ({source}
  )
  CROSS JOIN UNNEST(map_keys(cdc_members)) AS cdc_t(cdc_name)"""
IS_SPLIT_SQL = f"coalesce(cardinality(cdc_members), 0) BETWEEN 1 AND {MAX_MAP_MEMBERS}"
MAPS_SQL = f"""
  SELECT {{names}}, cdc_members
  FROM ({{source}}
  )
  WHERE {IS_SPLIT_SQL} AND ({{condition}})"""
PATHS_SQL = f"""
SELECT {{names}}, bool_or({IS_SPLIT_SQL}) AS cdc_split, bool_and({IS_SPLIT_SQL}) AS cdc_all_split
FROM ({{source}}
)
GROUP BY {{names}}
LIMIT {{limit}}"""
MAX_PATHS = 2 * MAX_COLUMNS


@dataclass(frozen=True, slots=True)
class LakeDays:
    """The days to which objects were added, and the time of the newest object."""

    days: tuple[str, ...]
    newest_at: datetime | None


def days_added_since(time: datetime | None) -> LakeDays:
    """Return the days of the lake with objects since that time, or all of its days."""
    pages = (
        boto3.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=names.bucket(), Prefix=f"{names.LAKE}dt=")
    )
    days = set()
    newest_at = time
    for page in pages:
        for entry in page.get("Contents", []):
            folder = DAY_FOLDER.match(entry["Key"])
            modified_at = entry["LastModified"]
            if folder and (time is None or modified_at >= time - UPLOAD_MARGIN):
                days.add(folder[1])
                newest_at = max(newest_at or modified_at, modified_at)
    return LakeDays(tuple(sorted(days)), newest_at)


def image_columns(days: Sequence[str]) -> set[str]:
    """Return the columns of all attributes in the images of these days.

    If there are too many for a table, not all are returned, but also too many.
    """
    paths: list[Path] = []
    maps: list[Path] = [()]
    while maps and days:
        members = member_paths(maps, days)
        is_complete = len(members) < MAX_PATHS
        paths += [path for path, _, is_whole in members if is_whole or not is_complete]
        maps = [path for path, is_split, _ in members if is_split and is_complete]
    return columns_of_paths(paths)


def member_paths(maps: Sequence[Path], days: Sequence[str]) -> list[tuple[Path, bool, bool]]:
    """Return the paths of the members of maps, all equally deep.

    With each path comes whether it is a map whose members become columns, and whether it also
    becomes a column as a whole, in the same image or another.
    """
    rows = fetch_rows("attributes in the images", members_sql(maps, days))
    members = []
    for *path_names, is_split, is_all_split in rows:
        path = tuple(map(str, path_names))
        is_json = column_name(path) in names.JSON_PATHS
        is_whole = is_json or is_all_split == "false"
        members.append((path, is_split == "true" and not is_json, is_whole))
    return members


def members_sql(maps: Sequence[Path], days: Sequence[str]) -> str:
    """Return the query for the members of maps, all equally deep."""
    depth = len(maps[0])
    columns = [f"cdc_name_{level}" for level in range(depth + 1)]
    source = IMAGES_SQL.format(days=", ".join(map(literal, days)))
    for level, column in enumerate(columns):
        outer_names = "".join(f"{name}, " for name in columns[:level])
        if level:
            outer_maps = {path[:level] for path in maps}
            source = MAPS_SQL.format(
                names=outer_names.rstrip(", "), source=source, condition=any_path(outer_maps)
            )
        source = MEMBERS_SQL.format(outer_names=outer_names, name=column, source=source)
    return PATHS_SQL.format(names=", ".join(columns), source=source, limit=MAX_PATHS)


def any_path(paths: Iterable[Path]) -> str:
    """Return the condition that the names are those of one of the paths."""
    return " OR ".join(
        " AND ".join(f"cdc_name_{level} = {literal(name)}" for level, name in enumerate(path))
        for path in sorted(paths)
    )


def literal(text: str) -> str:
    """Return text as a literal of SQL.

    >>> literal("O'Hara")
    "'O''Hara'"
    """
    return "'" + text.replace("'", "''") + "'"
