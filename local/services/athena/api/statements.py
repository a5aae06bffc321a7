"""Statements: which form a text has, and the queries and prepared statements among them."""

import re
from collections.abc import Callable, Sequence
from functools import partial

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.athena.api.catalog_statements import (
    NAME,
    form,
    parse_catalog_statement,
    parse_create_table,
)
from local.services.athena.api.parameters import parse_values, with_parameters
from local.services.athena.api.results import Outcome
from local.services.athena.api.session import (
    UNSUPPORTED,
    Session,
    Statement,
    hive_columns,
    split_name,
    write_rows,
)
from local.services.athena.api.table_writes import (
    parse_create_table_as,
    parse_insert,
    parse_unload,
)
from local.services.athena.backend.engine import OutputColumn, csv_line
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend.query import Query, parse_query
from local.services.athena.storage.glue_catalog import View


def parse_statement(sql: str, parameters: Sequence[str]) -> Statement:
    """Parse a statement, or raise Athena's InvalidRequestException."""
    text = _strip_comments(sql)
    catalog_statement = parse_catalog_statement(text)
    if catalog_statement is not None:
        return catalog_statement
    for pattern, parse_form in _QUERY_FORMS:
        match = pattern.fullmatch(text)
        if match:
            return parse_form(match, parameters)
    if not _QUERY.match(text):
        raise _unsupported(text)
    # With its comments, for the lines of the errors.
    query = with_parameters(parse_query(_strip_end(sql)), parameters)
    return Statement("DML", "SELECT", partial(_select, query), "{}.csv")


def _strip_comments(sql: str) -> str:
    """Remove the comments before a statement and the semicolon after it."""
    text = sql.strip()
    while comment := re.match(r"--[^\n]*(\n|$)|/\*.*?\*/", text, re.DOTALL):
        text = text[comment.end() :].strip()
    return _strip_end(text)


def _strip_end(sql: str) -> str:
    """Remove the semicolon after a statement."""
    return re.sub(r"[;\s]+$", "", sql)


def _unsupported(text: str) -> AwsError:
    word = text.split(maxsplit=1)[0] if text else "<EOF>"
    if word.upper() not in _ATHENA_KEYWORDS:
        known = ", ".join(_ATHENA_KEYWORDS)
        return AwsError(
            "InvalidRequestException",
            f"line 1:1: mismatched input '{word}'. Expecting: <query>, {known}",
        )
    if word.upper() in _UNMODELLED_KEYWORDS:
        return AwsError("InvalidRequestException", not_modelled_message(word.upper()))
    return AwsError("InvalidRequestException", UNSUPPORTED)


_ATHENA_KEYWORDS = (
    "ALTER",
    "ANALYZE",
    "CALL",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DESCRIBE",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "GRANT",
    "INSERT",
    "MERGE",
    "MSCK",
    "OPTIMIZE",
    "PREPARE",
    "SHOW",
    "UNLOAD",
    "UPDATE",
    "USE",
    "VACUUM",
)
_UNMODELLED_KEYWORDS = ("ALTER", "ANALYZE", "CALL", "GRANT", "OPTIMIZE", "USE", "VACUUM")
_QUERY = re.compile(r"(SELECT|WITH|VALUES|TABLE|\()", re.IGNORECASE)


def _select(query: Query, session: Session) -> Outcome:
    plan = session.engine.plan(query, session.database, session.now)
    scanned_bytes = session.engine.write(plan, session.file)
    session.check_scan(scanned_bytes)
    return Outcome(plan.columns, scanned_bytes)


def _parse_create_view(match: re.Match[str], _: Sequence[str]) -> Statement:
    run = partial(_create_view, match, parse_query(match["query"]))
    return Statement("DDL", "CREATE_VIEW", run)


def _create_view(match: re.Match[str], query: Query, session: Session) -> Outcome:
    name = split_name(match["name"], session.database)
    plan = session.engine.plan(query, session.database, session.now, name)
    view = View(query.text, session.database)
    columns = hive_columns(plan.columns)
    session.catalog.put_view(name, view, columns, replace=bool(match["replace"]))
    return write_rows(session, [], [])


def _parse_explain(match: re.Match[str], parameters: Sequence[str]) -> Statement:
    options = re.sub(r"\s", "", match["options"] or "").upper()
    if options not in _EXPLAIN_OPTIONS:
        raise AwsError("InvalidRequestException", not_modelled_message(f"EXPLAIN ({options})"))
    query = with_parameters(parse_query(match["query"]), parameters)
    run = partial(_explain, query, is_check="VALIDATE" in options)
    return Statement("DML", "EXPLAIN", run, "{}.csv")


_EXPLAIN_OPTIONS = ("", "TYPELOGICAL", "TYPEDISTRIBUTED", "TYPEVALIDATE", "FORMATTEXT")


def _explain(query: Query, session: Session, is_check: bool) -> Outcome:
    """Write the plan of a query, which is DuckDB's, or that there is one."""
    plan = session.engine.plan(query, session.database, session.now)
    lines = ["true"] if is_check else session.engine.explain(plan)
    name = "Valid" if is_check else "Query Plan"
    session.file.write_text("".join(csv_line([line]) for line in (name, *lines)), encoding="utf-8")
    return Outcome((OutputColumn(name, "BOOLEAN" if is_check else "VARCHAR"),))


def _parse_row_change(match: re.Match[str], _: Sequence[str]) -> Statement:
    return Statement("DML", match["kind"].upper(), _reject_row_change)


def _reject_row_change(_: Session) -> Outcome:
    raise QueryFailed(
        "NOT_SUPPORTED", "Modifying Hive table rows is only supported for transactional tables"
    )


def _parse_prepare(match: re.Match[str], _: Sequence[str]) -> Statement:
    return Statement("UTILITY", "PREPARE", partial(_prepare, match["prepared"], match["query"]))


def _prepare(name: str, sql: str, session: Session) -> Outcome:
    session.prepared_statements.put(name, sql)
    return write_rows(session, [], [])


def _parse_execute(match: re.Match[str], _: Sequence[str]) -> Statement:
    values = tuple(parse_values(match["values"])) if match["values"] else ()
    return Statement("DML", "EXECUTE", partial(_execute, match["prepared"], values), "{}.csv")


def _execute(name: str, parameters: Sequence[str], session: Session) -> Outcome:
    sql = session.prepared_statements.get(name)["QueryStatement"]
    return parse_statement(sql, parameters).run(session)


def _parse_deallocate(match: re.Match[str], _: Sequence[str]) -> Statement:
    return Statement("UTILITY", "DEALLOCATE", partial(_deallocate, match["prepared"]))


def _deallocate(name: str, session: Session) -> Outcome:
    session.prepared_statements.delete(name)
    return write_rows(session, [], [])


_PREPARED = r"(?P<prepared>\w+)"
_QUERY_FORMS: tuple[
    tuple[re.Pattern[str], Callable[[re.Match[str], Sequence[str]], Statement]], ...
] = (
    (
        form(rf"CREATE(?P<replace> OR REPLACE)? VIEW {NAME} AS(?=[\s(])\s*(?P<query>.+)"),
        _parse_create_view,
    ),
    (form("CREATE EXTERNAL TABLE .+"), parse_create_table),
    (form("CREATE TABLE .+"), parse_create_table_as),
    (form("INSERT INTO .+"), parse_insert),
    (
        form(r"UNLOAD\s*\((?P<query>.+)\)\s*TO\s*'(?P<location>[^']+)'\s*(?P<with>WITH\s*\(.+\))"),
        parse_unload,
    ),
    (form(r"EXPLAIN(?: \((?P<options>[^()]*)\))? (?P<query>(?:SELECT|WITH)\b.+)"), _parse_explain),
    (form("(?P<kind>DELETE|UPDATE|MERGE) .+"), _parse_row_change),
    (form(f"PREPARE {_PREPARED} FROM (?P<query>.+)"), _parse_prepare),
    (form(f"EXECUTE {_PREPARED}(?: USING (?P<values>.+))?"), _parse_execute),
    (form(f"DEALLOCATE PREPARE {_PREPARED}"), _parse_deallocate),
)
"""A form of statement with a query in it → the function that parses it."""
