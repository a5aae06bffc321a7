"""Upload exchange rates, by which queries convert amounts into the reporting currency.

The file is CSV with the header date,currency,rate. A rate is what one unit of the currency is worth
in the reporting currency, which is that of --currency. The file replaces the rates that are there,
so it has those of all days. If any line is wrong, nothing is uploaded, and the exit status is 2.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import boto3

from operations.cli import argument_parser, run_command
from operations.rates.rates_file import InvalidRates, Rate, currency_code, read_rates
from setup.names import RATES, bucket
from terminal.text import count

KEY = f"{RATES}rates.json.gz"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    args = _parse_args(argv)
    return run_command(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    try:
        rates = read_rates(args.file, args.currency)
    except InvalidRates as error:
        print(error, file=sys.stderr)
        return 2
    if args.dry_run:
        print(f"would upload {_describe(rates)}")
        return 0
    upload_rates(rates, args.currency)
    print(f"uploaded {_describe(rates)}: amounts are converted into {args.currency}")
    return 0


def upload_rates(rates: Iterable[Rate], reporting_currency: str) -> None:
    """Replace the table's rates."""
    lines = [
        json.dumps(
            {
                "day": f"{rate.day}",
                "currency": rate.currency,
                "rate": f"{rate.rate:f}",
                "reporting_currency": reporting_currency,
            }
        )
        for rate in rates
    ]
    body = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    boto3.client("s3").put_object(Bucket=bucket(), Key=KEY, Body=body)


def _describe(rates: Sequence[Rate]) -> str:
    days = [rate.day for rate in rates]
    currencies = {rate.currency for rate in rates}
    return (
        f"{count(len(rates), 'rate')} of {count(len(currencies), 'currency', 'currencies')}, "
        f"from {min(days)} to {max(days)}"
    )


def _parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argument_parser("rates", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV file of the rates of all days")
    parser.add_argument(
        "--currency",
        type=currency_code,
        required=True,
        metavar="CODE",
        help="reporting currency, such as EUR",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check the file without uploading it"
    )
    return parser.parse_args(argv)
