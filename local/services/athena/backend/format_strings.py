"""Translation of format: its specifiers for texts, whole numbers and fractions, as in Java."""

import re

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, literal, string_constant
from local.services.athena.errors import not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DecimalType, DType, display_name, dtype_of, type_of

_ANY_SPECIFIER = re.compile(r"%(?:%|[^%a-zA-Z]*[a-zA-Z]?)")
_SPECIFIER = re.compile(
    r"%(?P<flags>,?(?:[-0](?=,?[1-9]))?,?)(?P<width>[1-9][0-9]*)?"
    r"(?:\.(?P<precision>[0-9]+))?(?P<conversion>[sdf])"
)
"""A specifier that is modelled: `-` and `0` need a width."""
_PLAIN_TYPES = (DType.NULL, *types.STRING_TYPES, *types.INTEGER_TYPES, DType.BOOLEAN, DType.DATE)
"""The types that `%s` writes as a cast does."""
_TEXT_MACROS = {
    DType.DOUBLE: "trino.double_result_text",
    DType.DECIMAL: "trino.decimal_varchar",
}
_FRACTION_TYPES = (*types.FLOAT_TYPES, DType.DECIMAL)
_DEFAULT_PRECISION = 6


def translate_format(node: exp.Anonymous) -> exp.Expr:
    """Translate a format to a text with a `%s` for each argument, which is a text already."""
    pattern, *arguments = node.expressions
    text = string_constant(pattern)
    specifiers = [part for part in _ANY_SPECIFIER.findall(text or "") if part != "%%"]
    if text is None or len(specifiers) > len(arguments):
        raise not_modelled("a format that is not a literal with an argument for each specifier")
    texts_pattern = _ANY_SPECIFIER.sub(lambda match: "%%" if match[0] == "%%" else "%s", text)
    pairs = zip(specifiers, arguments, strict=False)
    return call("printf", literal(texts_pattern), *(_formatted(*pair) for pair in pairs))


def _formatted(specifier: str, value: exp.Expr) -> exp.Expr:
    match = _SPECIFIER.fullmatch(specifier)
    text = _value_text(match, value) if match else None
    if match is None or text is None:
        raise not_modelled(f"the format {specifier} for {display_name(type_of(value))}")
    # DuckDB folds COALESCE of a constant that fails into its other value.
    is_null = exp.Is(this=value.copy(), expression=exp.Null())
    null_text = literal("null"[: int(match["precision"] or 4)])
    text = exp.Case(ifs=[exp.If(this=is_null, true=null_text)], default=text)
    if not match["width"]:
        return text
    macro = "trino.pad_right" if "-" in match["flags"] else "trino.pad_left"
    return call(macro, text, literal(int(match["width"])), literal(" "))


def _value_text(match: re.Match[str], value: exp.Expr) -> exp.Expr | None:
    """Return a value's text before it is padded, None if the specifier is not for its type."""
    dtype = dtype_of(value)
    if match["conversion"] == "s" and "," not in match["flags"] and "0" not in match["flags"]:
        return _plain_text(value, match["precision"])
    if match["conversion"] == "d" and dtype in types.INTEGER_TYPES and not match["precision"]:
        absolute = call("abs", cast(value.copy(), DecimalType(38, 0).data_type))
        return _number_text(match, value, cast(absolute, types.VARCHAR))
    if match["conversion"] == "f" and dtype in _FRACTION_TYPES:
        return _number_text(match, value, _fixed_point(value, match["precision"]))
    return None


def _plain_text(value: exp.Expr, limit: str | None) -> exp.Expr | None:
    text: exp.Expr
    if dtype_of(value) in _PLAIN_TYPES:
        text = cast(value, types.VARCHAR)
    elif dtype_of(value) in _TEXT_MACROS:
        text = call(_TEXT_MACROS[dtype_of(value)], value)
    else:
        return None
    return call("left", text, literal(int(limit))) if limit else text


def _fixed_point(value: exp.Expr, precision: str | None) -> exp.Expr:
    """Return the digits of an absolute value, rounded half up by its shortest decimal digits."""
    scale = min(int(precision or _DEFAULT_PRECISION), 38)
    digits = cast(call("abs", value.copy()), types.VARCHAR)
    rounded = exp.TryCast(this=digits, to=DecimalType(38, scale).data_type)
    return cast(rounded, types.VARCHAR)


def _number_text(match: re.Match[str], value: exp.Expr, digits: exp.Expr) -> exp.Expr:
    if "," in match["flags"]:
        digits = call("trino.grouped", digits)
    zeros = int(match["width"]) if "0" in match["flags"] else 0
    return call("trino.signed_text", value, digits, literal(zeros))
