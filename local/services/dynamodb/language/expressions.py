"""DynamoDB's expressions: tokens, document paths, and conditions as trees of calls."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from local.services.dynamodb.language.errors import RejectedRequest
from local.services.dynamodb.language.values import ORDERED_TYPES, Value, is_in_order, type_of

EXPRESSION_BYTES = 4096
MAX_OPERANDS = 100
TYPES = ("B", "NULL", "SS", "BOOL", "L", "BS", "N", "NS", "S", "M")
COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
ORDERINGS = ("<", "<=", ">", ">=", "BETWEEN")
FUNCTION_SIZES = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
OPERAND_TYPES = {"begins_with": ("S", "B"), "size": ("S", "B", "SS", "NS", "BS", "L", "M")}
_TOKEN = re.compile(r"[#:]\w+|[A-Za-z_]\w*|\d+|<>|<=|>=|\S", re.ASCII)
_RESERVED = frozenset(ReservedKeywords.get_reserved_keywords())

Path = tuple[str | int, ...]
Parsed = TypeVar("Parsed")


class InvalidExpression(Exception):
    """An expression that DynamoDB rejects; the message follows the expression's kind."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An operand that reads the value at a document path."""

    path: Path

    def __str__(self) -> str:
        return format_path(self.path)


@dataclass(frozen=True, slots=True)
class Literal:
    """An operand that is a value of the request."""

    value: Value


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function and its operands: a condition, or a value such as a size."""

    name: str
    operands: "tuple[Operand, ...]"

    def attribute_names(self) -> list[str]:
        """Return the names of the item's attributes that the call reads."""
        names: list[str] = []
        for operand in self.operands:
            if isinstance(operand, Attribute):
                names.append(str(operand.path[0]))
            elif isinstance(operand, Call):
                names += operand.attribute_names()
        return list(dict.fromkeys(names))

    def literals(self) -> list[Value]:
        """Return the values among the operands."""
        return [operand.value for operand in self.operands if isinstance(operand, Literal)]


Operand = Attribute | Literal | Call


@dataclass(slots=True)
class Placeholders:
    """The names and values that a request's expressions may use, and those that they do use."""

    names: Mapping[str, str]
    values: Mapping[str, Value]
    used: set[str] = field(default_factory=set)

    def name(self, placeholder: str) -> str:
        """Return the attribute name of a placeholder."""
        if placeholder not in self.names:
            raise InvalidExpression(
                "An expression attribute name used in the document path is not defined; "
                f"attribute name: {placeholder}"
            )
        self.used.add(placeholder)
        return self.names[placeholder]

    def value(self, placeholder: str) -> Value:
        """Return the value of a placeholder."""
        if placeholder not in self.values:
            raise InvalidExpression(
                "An expression attribute value used in expression is not defined; "
                f"attribute value: {placeholder}"
            )
        self.used.add(placeholder)
        return self.values[placeholder]

    def check_used(self) -> None:
        """Raise DynamoDB's error for placeholders that no expression uses."""
        for member, defined in (("Names", self.names), ("Values", self.values)):
            unused = [placeholder for placeholder in defined if placeholder not in self.used]
            if unused:
                raise RejectedRequest(
                    f"Value provided in ExpressionAttribute{member} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )


def parse_expression(
    kind: str, text: str, parse: Callable[["Parser"], Parsed], placeholders: Placeholders
) -> Parsed:
    """Return what `parse` makes of an expression, or raise DynamoDB's error for its kind."""
    try:
        parser = Parser(text, placeholders)
        parsed = parse(parser)
        parser.expect_end()
    except InvalidExpression as error:
        raise RejectedRequest(f"Invalid {kind}: {error}") from None
    return parsed


def format_path(path: Path) -> str:
    """Return a document path as DynamoDB's messages show it."""
    return ", ".join(f"[{element}]" if isinstance(element, int) else element for element in path)


class Parser:
    """A recursive descent through an expression's tokens."""

    token_pattern = _TOKEN
    max_bytes = EXPRESSION_BYTES

    def __init__(self, text: str, placeholders: Placeholders) -> None:
        if not text:
            raise InvalidExpression("The expression can not be empty;")
        if len(text.encode()) > self.max_bytes:
            raise InvalidExpression("Expression size has exceeded the maximum allowed size;")
        self.text = text
        self.placeholders = placeholders
        self.position = 0
        self.spans = [match.span() for match in self.token_pattern.finditer(text)]
        self.tokens = [text[start:end] for start, end in self.spans]
        self.check_parentheses()

    def check_parentheses(self) -> None:
        """Reject parentheses that enclose nothing but parentheses."""
        partner: dict[int, int] = {}
        opened: list[int] = []
        for index, token in enumerate(self.tokens):
            if token == "(":  # noqa: S105 - a parenthesis
                opened.append(index)
            elif token == ")" and opened:  # noqa: S105
                partner[opened.pop()] = index
        if any(partner.get(start + 1, -1) == end - 1 for start, end in partner.items()):
            raise InvalidExpression("The expression has redundant parentheses;")

    @property
    def token(self) -> str:
        """The current token; empty at the end."""
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    @property
    def keyword(self) -> str:
        """The current token in capitals, as keywords are compared."""
        return self.token.upper()

    def take(self) -> str:
        """Return the current token and move on."""
        token = self.token
        if not token:
            raise self.syntax_error()
        self.position += 1
        return token

    def accept(self, *keywords: str) -> bool:
        """Move past these keywords if they come next, and return whether they did."""
        end = self.position + len(keywords)
        following = [token.upper() for token in self.tokens[self.position : end]]
        if following != list(keywords):
            return False
        self.position = end
        return True

    def expect(self, *keywords: str) -> None:
        """Move past these keywords, which must come next."""
        for keyword in keywords:
            if not self.accept(keyword):
                raise self.syntax_error()

    def expect_end(self) -> None:
        """Reject tokens after the end of the expression."""
        if self.token:
            raise self.syntax_error()

    def syntax_error(self) -> InvalidExpression:
        """Return the error for the current token, with its neighbours."""
        spans = self.spans[max(self.position - 1, 0) : self.position + 2]
        token = self.token or "<EOF>"
        near = self.text[spans[0][0] : spans[-1][1]] if spans else self.text
        return InvalidExpression(f'Syntax error; token: "{token}", near: "{near}"')

    def list_of(self, parse: Callable[[], Parsed]) -> list[Parsed]:
        """Return one or more elements between commas."""
        elements = [parse()]
        while self.accept(","):
            elements.append(parse())
        return elements

    def path(self) -> Path:
        """Return a document path with its placeholders resolved."""
        elements: list[str | int] = [self.attribute_name()]
        while True:
            if self.accept("."):
                elements.append(self.attribute_name())
            elif self.accept("["):
                index = self.token
                if not index.isdecimal():
                    raise self.syntax_error()
                elements.append(int(self.take()))
                self.expect("]")
            else:
                return tuple(elements)

    def attribute_name(self) -> str:
        """Return one name of a path."""
        if self.token.startswith("#"):
            return self.placeholders.name(self.take())
        if not re.match(r"[A-Za-z_]", self.token):
            raise self.syntax_error()
        name = self.take()
        if name.upper() in _RESERVED:
            raise InvalidExpression(
                f"Attribute name is a reserved keyword; reserved keyword: {name}"
            )
        return name

    def condition(self) -> Call:
        """Return a condition: OR binds less than AND, and AND less than NOT."""
        return self._joined("OR", lambda: self._joined("AND", self._negation))

    def _joined(self, operator: str, parse: Callable[[], Call]) -> Call:
        conditions = [parse()]
        while self.accept(operator):
            conditions.append(parse())
        return conditions[0] if len(conditions) == 1 else Call(operator, tuple(conditions))

    def _negation(self) -> Call:
        if self.accept("NOT"):
            return Call("NOT", (self._negation(),))
        if self.accept("("):
            condition = self.condition()
            self.expect(")")
            return condition
        return self.comparison()

    def comparison(self) -> Call:
        """Return a condition without AND, OR and NOT."""
        operand = self.operand()
        operator = self.keyword
        if operator in COMPARATORS:
            self.take()
            return self.checked_call(operator, operand, self.operand())
        if operator in ("BETWEEN", "IN"):
            self.take()
            return self.checked_call(operator, operand, *self._range(operator))
        if isinstance(operand, Call) and operand.name != "size":
            return operand
        raise self.syntax_error()

    def _range(self, operator: str) -> list[Operand]:
        if operator == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            return [low, self.operand()]
        return self.choices()

    def choices(self) -> list[Operand]:
        """Return the operands of IN."""
        self.expect("(")
        operands = self.list_of(self.operand)
        self.expect(")")
        return operands

    def operand(self) -> Operand:
        """Return a value, a document path or a function's call."""
        if self.token.startswith(":"):
            return Literal(self.placeholders.value(self.take()))
        if self.tokens[self.position + 1 : self.position + 2] == ["("]:
            return self._function()
        return Attribute(self.path())

    def _function(self) -> Call:
        name = self.take()
        if name not in FUNCTION_SIZES:
            raise InvalidExpression(f"Invalid function name; function: {name}")
        self.expect("(")
        operands = self.list_of(self.operand)
        self.expect(")")
        if len(operands) != FUNCTION_SIZES[name]:
            raise InvalidExpression(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(operands)}"
            )
        return self.checked_call(name, *operands)

    def checked_call(self, name: str, *operands: Operand) -> Call:
        """Return a call unless DynamoDB rejects its operands before it reads any item."""
        first, *others = operands
        if name.startswith("attribute_") and not isinstance(first, Attribute):
            raise InvalidExpression(
                f"Operator or function requires a document path; operator or function: {name}"
            )
        if first in others and isinstance(first, Attribute):
            raise InvalidExpression(
                "The first operand must be distinct from the remaining operands for this operator "
                f"or function; operator: {name}, first operand: [{first}]"
            )
        if len(others) > MAX_OPERANDS:
            raise InvalidExpression(f"Too many operands; operator: {name}")
        for operand in operands:
            if isinstance(operand, Literal):
                _check_literal(name, operand.value)
        if name == "BETWEEN":
            _check_bounds(*others)
        if name == "attribute_type" and isinstance(others[0], Literal):
            _check_type_name(others[0].value)
        return Call(name, operands)


def _check_literal(name: str, value: Value) -> None:
    accepted = ORDERED_TYPES if name in ORDERINGS else OPERAND_TYPES.get(name, TYPES)
    if type_of(value) not in accepted:
        raise InvalidExpression(
            "Incorrect operand type for operator or function; "
            f"operator or function: {name}, operand type: {type_of(value)}"
        )


def _check_bounds(low: Operand, high: Operand) -> None:
    if not isinstance(low, Literal) or not isinstance(high, Literal):
        return
    bounds = [
        f"{bound} bound operand: AttributeValue: {{{type_of(value)}:{next(iter(value.values()))}}}"
        for bound, value in (("lower", low.value), ("upper", high.value))
    ]
    if type_of(low.value) != type_of(high.value):
        rule = "same data type for lower and upper bounds"
    elif not is_in_order(low.value, high.value):
        rule = "upper bound to be greater than or equal to lower bound"
    else:
        return
    raise InvalidExpression(f"The BETWEEN operator requires {rule}; {', '.join(bounds)}")


def _check_type_name(value: Value) -> None:
    if value.get("S") not in TYPES:
        raise InvalidExpression(
            f"Invalid attribute type name found; type: {value.get('S')}, "
            f"valid types: {{{','.join(TYPES)}}}"
        )
