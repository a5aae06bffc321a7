"""A laptop cloud as unkind as AWS on its worst day: faults, drawn from a seed, in every call."""

from local.nemesis.cloud import UnkindCloud
from local.nemesis.injector import Nemesis
from local.nemesis.run import ordeal

__all__ = ["Nemesis", "UnkindCloud", "ordeal"]
