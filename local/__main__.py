"""The whole chain on this laptop, without an AWS account: python -m local.

Exit status 0: the lake equals the table; with --nemesis: it differs in nothing but what was
spoilt, and that was kept.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from local.core.server import Cloud
from local.demo import IDLE, ScriptFailed, demo, heading
from local.environment import enter, is_region, shell_lines
from local.nemesis import Nemesis, UnkindCloud, ordeal
from local.services.registry import SERVICES


def main() -> int:
    """Run the demo, serve on if asked to, and return 0 only when all came as it should."""
    options = _options()
    cloud = _cloud(options)
    try:
        enter(cloud.endpoint)
        print(f"the laptop cloud answers at {cloud.endpoint}")
        status = 0 if options.empty else _told(cloud, options)
        if options.serve or options.empty:
            _serve(cloud)
        return status
    except ScriptFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # The reader, `head` say, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"python -m local: {error}", file=sys.stderr)
        return 1
    finally:
        cloud.close()


def _cloud(options: argparse.Namespace) -> Cloud:
    if options.nemesis is None:
        return Cloud(SERVICES, options.port)
    nemesis = Nemesis(options.nemesis, options.nemesis_rate, options.poison_rate)
    return UnkindCloud(SERVICES, nemesis, options.port)


def _told(cloud: Cloud, options: argparse.Namespace) -> int:
    """Tell the story, write its summary, and return the exit status that it deserves."""
    if isinstance(cloud, UnkindCloud):
        outcome = ordeal(cloud, options.orders, options.seed)
        right = outcome.foretold
    else:
        outcome = demo(cloud, options.orders, options.seed)
        right = outcome.equal
    if options.summary:
        options.summary.write_text(json.dumps(outcome.summary(), indent=2) + "\n")
    return 0 if right else 1


def _serve(cloud: Cloud) -> None:
    """Let the cloud move in real time until the user interrupts."""
    heading("serving until Ctrl-C; in another terminal, first:")
    print(shell_lines(cloud.endpoint), flush=True)
    while True:
        if not cloud.tick():
            time.sleep(IDLE)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--orders", type=_whole, default=400, metavar="N", help="default: 400")
    parser.add_argument(
        "--seed", type=_whole, default=1, metavar="S", help="another one makes other orders"
    )
    parser.add_argument(
        "--summary", type=_new_file, metavar="FILE", help="write the outcome as JSON"
    )
    parser.add_argument("--serve", action="store_true", help="stay up when the story has ended")
    parser.add_argument("--empty", action="store_true", help="only serve an empty account")
    _add_nemesis(parser)
    parser.add_argument("--port", type=_port, default=0, help="on loopback; default: any free one")
    options = parser.parse_args()
    if options.empty and options.nemesis is not None:
        parser.error("--nemesis spoils a run of the chain, and --empty has none: leave one out")
    if (region := os.environ.get("AWS_DEFAULT_REGION")) and not is_region(region):
        parser.error(f"AWS_DEFAULT_REGION: expected a region such as us-east-1, found {region!r}")
    return options


def _add_nemesis(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a nemesis", "lets go wrong what can go wrong on AWS")
    group.add_argument(
        "--nemesis",
        type=_whole,
        metavar="SEED",
        help="throttle, delay, repeat, reorder, kill, time out: drawn from this seed",
    )
    group.add_argument(
        "--nemesis-rate",
        type=_share,
        default=0.3,
        metavar="R",
        help="share of the calls between the services that go wrong, of those that only read a "
        "fifth of it; default: 0.3",
    )
    group.add_argument(
        "--poison-rate",
        type=_share,
        default=0.01,
        metavar="R",
        help="share of the records that are spoilt, and of the items that grow too large for "
        "Kinesis; default: 0.01; with 0 the lake must equal the table",
    )


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def _share(text: str) -> float:
    try:
        if 0 <= (share := float(text)) <= 0.5:
            return share
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a share of 0 to 0.5, found {text!r}")


def _port(text: str) -> int:
    if (port := _whole(text)) > 65535:
        raise argparse.ArgumentTypeError(f"expected at most 65535, found {text}")
    return port


def _new_file(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, found {text!r}")
    return path


if __name__ == "__main__":
    sys.exit(main())
