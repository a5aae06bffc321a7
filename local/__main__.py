"""The whole chain on this laptop, without an AWS account: python -m local.

Exit status 0: the lake equals the table; with --nemesis: only corrupted records differ, and all
of them were kept.
"""

import argparse
import json
import os
import sys
import time

from local.core.server import Cloud
from local.demo import IDLE_SECONDS, ScriptFailed, print_heading, run_demo
from local.environment import is_region, shell_lines, use_cloud
from local.nemesis import FaultyCloud, Nemesis, run_chaos_demo
from local.services.athena import Athena
from local.services.registry import SERVICES
from terminal.arguments import number, output_file, whole_number
from terminal.interrupts import half_built_files_unreported

MAX_FAULT_RATE = 0.5
MAX_PORT = 65535
AWS_QUERY_SECONDS = 1800


@half_built_files_unreported()
def main() -> int:
    """Run the demo, keep serving if asked to, and return the exit status."""
    args = _parse_args()
    cloud = _create_cloud(args)
    try:
        use_cloud(cloud.endpoint)
        print(f"laptop cloud listening on {cloud.endpoint}")
        status = 0 if args.empty else _run(cloud, args)
        if args.serve or args.empty:
            _serve(cloud)
        return status
    except ScriptFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # The reader, such as `head`, has closed the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"python -m local: {error}", file=sys.stderr)
        return 1
    finally:
        cloud.close()


def _create_cloud(args: argparse.Namespace) -> Cloud:
    if args.nemesis is None:
        cloud = Cloud(SERVICES, args.port)
    else:
        nemesis = Nemesis(args.nemesis, args.nemesis_rate, args.poison_rate)
        cloud = FaultyCloud(SERVICES, nemesis, args.port)
    cloud.service(Athena).limit_query_time(args.query_timeout)
    return cloud


def _run(cloud: Cloud, args: argparse.Namespace) -> int:
    """Run the demo, write its summary, and return the exit status."""
    if isinstance(cloud, FaultyCloud):
        fault_outcome = run_chaos_demo(cloud, args.orders, args.seed)
        summary, has_passed = fault_outcome.summary(), fault_outcome.as_expected
    else:
        outcome = run_demo(cloud, args.orders, args.seed)
        summary, has_passed = outcome.summary(), outcome.is_equal
    if args.summary:
        args.summary.parent.mkdir(exist_ok=True)
        args.summary.write_text(json.dumps(summary, indent=2) + "\n")
    return 0 if has_passed else 1


def _serve(cloud: Cloud) -> None:
    """Let the cloud tick in real time until Ctrl-C."""
    print_heading("serving until Ctrl-C; run this first in another terminal:")
    print(shell_lines(cloud.endpoint), flush=True)
    while True:
        if not cloud.tick():
            time.sleep(IDLE_SECONDS)


def _parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument(
        "--orders",
        type=whole_number(),
        default=400,
        metavar="N",
        help="number of orders to write (default: 400)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(),
        default=1,
        metavar="S",
        help="random seed for the generated orders",
    )
    parser.add_argument(
        "--summary", type=output_file, metavar="FILE", help="write the outcome as JSON"
    )
    parser.add_argument("--serve", action="store_true", help="keep serving after the demo")
    parser.add_argument("--empty", action="store_true", help="serve an empty account, without demo")
    _add_nemesis_arguments(parser)
    parser.add_argument(
        "--port",
        type=whole_number(0, MAX_PORT),
        default=0,
        metavar="PORT",
        help="port on loopback (default: any free port)",
    )
    parser.add_argument(
        "--query-timeout",
        type=number(0.1, AWS_QUERY_SECONDS),
        default=AWS_QUERY_SECONDS,
        metavar="SECONDS",
        help="time limit of Athena's queries (default: 1800, as on AWS)",
    )
    args = parser.parse_args()
    if args.empty and args.nemesis is not None:
        parser.error("--nemesis and --empty cannot be combined")
    if (region := os.environ.get("AWS_DEFAULT_REGION")) and not is_region(region):
        parser.error(f"AWS_DEFAULT_REGION: expected a region such as us-east-1, found {region!r}")
    return args


def _add_nemesis_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("fault injection", "simulate AWS failures")
    group.add_argument(
        "--nemesis",
        type=whole_number(),
        metavar="SEED",
        help="throttle, delay, repeat, reorder, kill and time out, by this random seed",
    )
    group.add_argument(
        "--nemesis-rate",
        type=number(0, MAX_FAULT_RATE),
        default=0.3,
        metavar="R",
        help="probability that a call fails (a fifth of that for read-only calls; default: 0.3)",
    )
    group.add_argument(
        "--poison-rate",
        type=number(0, MAX_FAULT_RATE),
        default=0.01,
        metavar="R",
        help="fraction of records to corrupt and of items to inflate beyond Kinesis's limit "
        "(default: 0.01); with 0 the lake must equal the table",
    )


if __name__ == "__main__":
    sys.exit(main())
