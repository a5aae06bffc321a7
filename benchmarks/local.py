"""Benchmark of the laptop cloud: changes per second, seconds per service, and peak memory.

    python -m benchmarks.local [ORDERS ...]        default: 400 2500

Each size runs in a process of its own: setup, the generator, and all changes into the lake. CPU
seconds are those of the cloud (its own process: moto and all services) and of its children (the
generator and the function); unlike wall-clock seconds they are comparable on a busy machine. A
service's seconds are those of its ticks, waits included.
"""

import json
import resource
import subprocess
import sys
import time
from typing import Any

from local.core.server import Cloud
from local.demo import run_script, write_orders
from local.environment import use_cloud
from local.services.dynamodb import DynamoDb
from local.services.registry import SERVICES

SIZES = ("400", "2500")
SINGLE_RUN = "--one"
SEED = 1
KIB_PER_MIB = 1024  # ru_maxrss is in KiB on Linux.


def measure(orders: int) -> dict[str, Any]:
    """Move the changes of so many orders into the lake, and return the time and memory used."""
    cloud = Cloud(SERVICES)
    use_cloud(cloud.endpoint)
    try:
        run_script(cloud, "setup")
        cloud.seconds_by_service.clear()
        setup_cpu = _children_cpu()
        started_at = time.perf_counter()
        cpu_before = time.process_time()
        write_orders(cloud, orders, SEED)
        cloud.run_until_idle()
        seconds = time.perf_counter() - started_at
        cpu = time.process_time() - cpu_before
    finally:
        cloud.close()
    changes = cloud.service(DynamoDb).counts()[0].received
    return {
        "orders": orders,
        "changes": changes,
        "seconds": seconds,
        "cloud CPU": cpu,
        "children CPU": _children_cpu() - setup_cpu,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB,
        "services": {
            name: spent for name, spent in cloud.seconds_by_service.items() if spent > seconds / 100
        },
    }


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def format_result(result: dict[str, Any]) -> str:
    """Return a measurement as text."""
    seconds = result["seconds"]
    cpu = result["cloud CPU"] + result["children CPU"]
    services = ", ".join(f"{name} {spent:.1f}" for name, spent in result["services"].items())
    return (
        f"{result['orders']:7} orders {result['changes']:8} changes {seconds:7.1f} s "
        f"{result['changes'] / seconds:6.0f} changes/s\n"
        f"        CPU: cloud {result['cloud CPU']:.1f} s, generator and function "
        f"{result['children CPU']:.1f} s: {1000 * cpu / result['changes']:.2f} ms per change; "
        f"peak {result['peak MiB']:.0f} MiB\n"
        f"        seconds in ticks: {services}"
    )


def main(arguments: list[str]) -> None:
    """Measure each size in a process of its own, so that its peak memory is its own."""
    if arguments[:1] == [SINGLE_RUN]:
        print(json.dumps(measure(int(arguments[1]))))
        return
    for size in arguments or SIZES:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.local", SINGLE_RUN, size],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(format_result(json.loads(child.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
