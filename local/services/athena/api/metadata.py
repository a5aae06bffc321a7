"""Athena's view of the catalog: the data catalog, its databases and tables."""

import re
import uuid
from collections.abc import Callable

from local.core.request import AwsError
from local.services.athena.api.paging import paginate
from local.services.athena.api.workgroups import Params, invalid
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.glue_catalog import CATALOG, Catalog

_SUMMARY = {"Type": "GLUE", "Status": "CREATE_COMPLETE"}


def _list_data_catalogs(catalog: Catalog, params: Params) -> Params:
    return paginate("DataCatalogsSummary", [{"CatalogName": CATALOG, **_SUMMARY}], params)


def _get_data_catalog(catalog: Catalog, params: Params) -> Params:
    _require_glue(params["Name"])
    return {"DataCatalog": {"Name": CATALOG, **_SUMMARY}}


def _list_databases(catalog: Catalog, params: Params) -> Params:
    _require_glue(params["CatalogName"])
    return paginate(
        "DatabaseList", [_database(database) for database in catalog.list_databases()], params
    )


def _get_database(catalog: Catalog, params: Params) -> Params:
    _require_glue(params["CatalogName"])
    for database in catalog.list_databases():
        if database["Name"] == params["DatabaseName"].lower():
            return {"Database": _database(database)}
    raise _not_found(f"Database {params['DatabaseName']} not found.")


def _list_table_metadata(catalog: Catalog, params: Params) -> Params:
    _require_glue(params["CatalogName"])
    pattern = _pattern(params.get("Expression") or ".*")
    try:
        tables = catalog.list_tables(params["DatabaseName"].lower())
    except QueryFailed:
        raise _not_found(f"Database {params['DatabaseName']} not found.") from None
    matches = [_table(table) for table in tables if pattern.fullmatch(table["Name"])]
    return paginate("TableMetadataList", matches, params)


def _pattern(expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise invalid(f"Expression {expression} is not a regular expression: {error}") from None


def _get_table_metadata(catalog: Catalog, params: Params) -> Params:
    _require_glue(params["CatalogName"])
    name = params["TableName"].lower()
    table = catalog.get_table(params["DatabaseName"].lower(), name)
    if table is None:
        raise _not_found(f"Table {name} not found.")
    return {"TableMetadata": _table(table)}


def _not_found(what: str) -> AwsError:
    """Return Athena's error with Glue's in it: clients read its error code from the message."""
    origin = "Service: AmazonDataCatalog; Status Code: 400; Error Code: EntityNotFoundException"
    message = f"Entity Not Found: {what} ({origin}; Request ID: {uuid.uuid4()}; Proxy: null)"
    return AwsError("MetadataException", message)


def _require_glue(name: str) -> None:
    if name.lower() != CATALOG.lower():
        raise AwsError("MetadataException", f"Data catalog {name} was not found")


def _database(database: Params) -> Params:
    names = ("Name", "Description", "Parameters")
    return {name: database[name] for name in names if name in database}


def _table(table: Params) -> Params:
    storage = table.get("StorageDescriptor", {})
    created_at = table.get("CreateTime")
    metadata: Params = {
        "Name": table["Name"],
        "TableType": table.get("TableType", ""),
        "Columns": storage.get("Columns", []),
        "PartitionKeys": table.get("PartitionKeys", []),
        "Parameters": {
            **table.get("Parameters", {}),
            "location": storage.get("Location", ""),
            "inputformat": storage.get("InputFormat", ""),
            "outputformat": storage.get("OutputFormat", ""),
            "serde.serialization.lib": storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        },
    }
    if created_at is not None:
        metadata["CreateTime"] = created_at.timestamp()
    return metadata


METADATA: dict[str, Callable[[Catalog, Params], Params]] = {
    "ListDataCatalogs": _list_data_catalogs,
    "GetDataCatalog": _get_data_catalog,
    "ListDatabases": _list_databases,
    "GetDatabase": _get_database,
    "ListTableMetadata": _list_table_metadata,
    "GetTableMetadata": _get_table_metadata,
}
