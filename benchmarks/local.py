"""How fast the laptop cloud moves changes, what each part takes of it, and how much memory.

    python -m benchmarks.local [ORDERS ...]        default: 400 2500

Each size runs in a process of its own: setup, the generator, and all changes into the lake. CPU
seconds are those of the cloud (its own process: moto and all parts) and of its children (the
generator and the function); they hold on a busy machine too, where the seconds on the clock do
not. A part's seconds are those of its steps, and what it waits for in them is a part of them.
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
ONE = "--one"
SEED = 1
MIB = 1024  # ru_maxrss counts KiB on Linux


def measured(orders: int) -> dict[str, Any]:
    """Return what it takes to move the changes of so many orders into the lake."""
    cloud = Cloud(SERVICES)
    use_cloud(cloud.endpoint)
    try:
        run_script(cloud, "setup")
        cloud.seconds_by_service.clear()
        setup_cpu, started, cpu = _children_cpu(), time.perf_counter(), time.process_time()
        write_orders(cloud, orders, SEED)
        cloud.run_until_idle()
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    finally:
        cloud.close()
    changes = cloud.service(DynamoDb).counts()[0].received
    return {
        "orders": orders,
        "changes": changes,
        "seconds": seconds,
        "cloud CPU": cpu,
        "children CPU": _children_cpu() - setup_cpu,
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB,
        "services": {
            name: spent for name, spent in cloud.seconds_by_service.items() if spent > seconds / 100
        },
    }


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def told(found: dict[str, Any]) -> str:
    """Return a measurement in words."""
    seconds, cpu = found["seconds"], found["cloud CPU"] + found["children CPU"]
    services = ", ".join(f"{name} {spent:.1f}" for name, spent in found["services"].items())
    return (
        f"{found['orders']:7} orders {found['changes']:8} changes {seconds:7.1f} s "
        f"{found['changes'] / seconds:6.0f} changes/s\n"
        f"        CPU: cloud {found['cloud CPU']:.1f} s, generator and function "
        f"{found['children CPU']:.1f} s: {1000 * cpu / found['changes']:.2f} ms a change; "
        f"peak {found['peak MiB']:.0f} MiB\n"
        f"        steps: {services}"
    )


def main(arguments: list[str]) -> None:
    """Measure each size in a process of its own, so that no one pays for another's memory."""
    if arguments[:1] == [ONE]:
        print(json.dumps(measured(int(arguments[1]))))
        return
    for size in arguments or SIZES:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.local", ONE, size],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(told(json.loads(child.stdout.splitlines()[-1])), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
