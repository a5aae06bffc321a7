"""Monkeypatches for moto's dispatch of calls: lookups that it repeats for each call."""

from functools import cache

from moto.core import responses, serialize, utils

from local.core.patches import Patches

_find_keys = serialize.XFormedAttributePicker.get_possible_keys
_keys_by_member: dict[tuple[object, ...], tuple[str, ...]] = {}


def _possible_keys(
    picker: serialize.XFormedAttributePicker, context: serialize.AttributePickerContext
) -> tuple[str, ...]:
    """Return the names under which an object may have a member of a response.

    They depend on the member and on the object's class alone.
    """
    shape = context.shape
    parent = getattr(shape, "parent", None)
    member = (
        context.service_model and context.service_model.service_name,
        parent and parent.name,
        shape and shape.name,
        context.key,
        type(context.obj),
    )
    if member not in _keys_by_member:
        _keys_by_member[member] = tuple(dict.fromkeys(_find_keys(picker, context)))
    return _keys_by_member[member]


# moto inspects the class of a service for its operations: a tenth of the time of a small call. Of a
# large response, half of the time goes into the names of its members.
_PATCHES = Patches(
    (responses, "method_names_from_class", cache(utils.method_names_from_class)),
    (serialize.XFormedAttributePicker, "get_possible_keys", _possible_keys),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
