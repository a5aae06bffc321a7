"""Monkeypatches for moto's dispatch of calls: lookups that it repeats for each call."""

from functools import cache

from moto.core import responses, utils

from local.core.patches import Patches

# moto inspects the class of a service for its operations: a tenth of the time of a small call.
_PATCHES = Patches(
    (responses, "method_names_from_class", cache(utils.method_names_from_class)),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
