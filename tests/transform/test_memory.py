"""Memory: a warm function keeps nothing of its batches, however hostile their items are."""

import resource
import subprocess
import sys

import pytest

from tests.support.paths import PROJECT
from tests.support.profile import IS_THOROUGH
from transform.cache import MAX_BYTES, BoundedCache

# Batches, and the address space in MiB of the process that handles them: what a function kept of
# each batch would exceed it.
BATCHES, LIMIT = (1000, 128) if IS_THOROUGH else (60, 80)


@pytest.mark.slow
def test_a_warm_function_does_not_grow() -> None:
    limit = LIMIT * 2**20
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", f"{BATCHES}"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        check=False,
    )
    assert process.stderr == ""
    assert process.stdout.startswith(f"{BATCHES} batches, {{'Ok'}}: peak ")


@pytest.mark.parametrize("length", [1000, MAX_BYTES // 16, MAX_BYTES])
def test_a_cache_is_bounded_by_bytes(length: int) -> None:
    cache: BoundedCache[str, str] = BoundedCache(str.upper)
    for number in range(3 * MAX_BYTES // length):
        assert cache[f"{number}".rjust(length)] == f"{number}".rjust(length)
    assert sum(len(text) for texts in cache.items() for text in texts) <= MAX_BYTES
    assert bool(cache) == (length < MAX_BYTES)


def test_a_cache_computes_a_value_once() -> None:
    calls: list[str] = []

    def compute(key: str) -> str:
        calls.append(key)
        return key.upper()

    cache = BoundedCache(compute)
    assert [cache["a"], cache["b"], cache["a"]] == ["A", "B", "A"]
    assert calls == ["a", "b"]
