"""Fault injection: a laptop cloud whose calls fail as AWS's can, drawn from a random seed."""

from local.nemesis.cloud import FaultyCloud
from local.nemesis.injector import Nemesis
from local.nemesis.run import run_chaos_demo

__all__ = ["FaultyCloud", "Nemesis", "run_chaos_demo"]
