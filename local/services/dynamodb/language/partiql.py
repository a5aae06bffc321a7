"""PartiQL as DynamoDB has it: SELECT, INSERT, UPDATE and DELETE of one table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.services.dynamodb.language.attribute_values import normalize_value
from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.expressions import (
    Attribute,
    Call,
    InvalidExpression,
    Literal,
    Operand,
    Parser,
    Path,
    Placeholders,
)
from local.services.dynamodb.language.projections import check_overlaps
from local.services.dynamodb.language.updates import Action, parse_set_operand
from local.services.dynamodb.language.values import Image, Value

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+|[A-Za-z_]\w*"""
    r"""|<<|>>|<>|!=|<=|>=|\S""",
    re.ASCII,
)
_KEYWORD = re.compile(
    "SELECT|FROM|WHERE|ORDER|BY|INSERT|INTO|VALUE|UPDATE|SET|REMOVE|DELETE|RETURNING|AND|OR|NOT|IN"
    "|BETWEEN|IS|MISSING|NULL|TRUE|FALSE|LIMIT|AS|GROUP",
    re.IGNORECASE,
)
LITERALS: dict[str, Value] = {
    "TRUE": {"BOOL": True},
    "FALSE": {"BOOL": False},
    "NULL": {"NULL": True},
}
NOT_WELL_FORMED = "Statement wasn't well formed, can't be processed"
SET_FUNCTIONS = {"SET_ADD": "ADD", "SET_DELETE": "DELETE"}
RETURNING = {
    "ALL OLD": "ALL_OLD",
    "ALL NEW": "ALL_NEW",
    "MODIFIED OLD": "UPDATED_OLD",
    "MODIFIED NEW": "UPDATED_NEW",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the table that it is about; members that its kind has not are empty."""

    kind: str
    table: str
    index: str | None = None
    paths: list[Path] | None = None
    item: Image | None = None
    actions: tuple[Action, ...] = ()
    where: Call | None = None
    returning: str = "NONE"
    order: tuple[str, bool] | None = None  # A name, and whether ascending.


def parse_statement(text: str, parameters: Sequence[Value]) -> Statement:
    """Return a statement with its parameters in place, or raise DynamoDB's error."""
    try:
        parser = PartiqlParser(text, parameters)
        statement = parser.statement()
        parser.expect_end()
    except InvalidExpression as error:
        if "Syntax error" not in str(error):
            raise Rejected(str(error)) from None
        raise Rejected(f"{NOT_WELL_FORMED}: {error}") from None
    if parser.parameters_used != len(parameters):
        raise Rejected("Number of parameters in request and statement don't match.")
    return statement


class PartiqlParser(Parser):
    """A recursive descent through a statement's tokens."""

    token_pattern = _TOKEN
    max_bytes = 8192

    def __init__(self, text: str, parameters: Sequence[Value]) -> None:
        super().__init__(text, Placeholders({}, {}))
        self.parameters = parameters
        self.parameters_used = 0

    def check_parentheses(self) -> None:
        """Accept redundant parentheses, as PartiQL does."""

    def statement(self) -> Statement:
        """Return the statement."""
        match self.keyword:
            case "SELECT":
                return self._select()
            case "INSERT":
                return self._insert()
            case "UPDATE":
                return self._update()
            case "DELETE":
                return self._delete()
        raise Rejected(f"{NOT_WELL_FORMED}: Expected data manipulation")

    def _select(self) -> Statement:
        self.take()
        paths = None if self.accept("*") else self.list_of(self.path)
        self.expect("FROM")
        table, index = self._table()
        where = self._where()
        order = None
        if self.accept("ORDER", "BY"):
            name = self.attribute_name()
            is_ascending = not self.accept("DESC")
            order = (name, is_ascending)
            if is_ascending:
                self.accept("ASC")
        return Statement("SELECT", table, index, paths, where=where, order=order)

    def _insert(self) -> Statement:
        self.take()
        self.expect("INTO")
        table = self.attribute_name()
        self.expect("VALUE")
        item = self.value()
        if "M" not in item:
            raise self.syntax_error()
        return Statement("INSERT", table, item=item["M"])

    def _update(self) -> Statement:
        self.take()
        table, index = self._table()
        actions: list[Action] = []
        while self.keyword in ("SET", "REMOVE"):
            parse = self._set_action if self.keyword == "SET" else self._remove_action
            self.take()
            actions += self.list_of(parse)
        if not actions:
            raise self.syntax_error()
        check_overlaps(action.path for action in actions)
        where = self._where()
        returning = self._returning()
        return Statement(
            "UPDATE", table, index, actions=tuple(actions), where=where, returning=returning
        )

    def _delete(self) -> Statement:
        self.take()
        self.expect("FROM")
        table, index = self._table()
        where = self._where()
        returning = self._returning()
        if returning not in ("NONE", "ALL_OLD"):
            words = next(words for words, choice in RETURNING.items() if choice == returning)
            raise Rejected(
                f"Invalid returning clause: RETURNING {words} *. "
                "Only RETURNING ALL OLD * is allowed in DELETE statements."
            )
        return Statement("DELETE", table, index, where=where, returning=returning)

    def _table(self) -> tuple[str, str | None]:
        names = [self.attribute_name()]
        while self.accept("."):
            names.append(self.attribute_name())
        if "" in names:
            raise InvalidExpression("Path component cannot be an empty string")
        if len(names) > 2:
            message = "A path may contain at most 2 components in the FROM clause"
            raise InvalidExpression(message)
        return names[0], names[1] if len(names) == 2 else None

    def _where(self) -> Call | None:
        return self.condition() if self.accept("WHERE") else None

    def _returning(self) -> str:
        if not self.accept("RETURNING"):
            return "NONE"
        words = f"{self.take()} {self.take()}".upper()
        self.expect("*")
        if words not in RETURNING:
            raise self.syntax_error()
        return RETURNING[words]

    def _remove_action(self) -> Action:
        return Action("REMOVE", self.path())

    def _set_action(self) -> Action:
        path = self.path()
        self.expect("=")
        clause = SET_FUNCTIONS.get(self.keyword)
        if clause is None:
            return Action("SET", path, parse_set_operand(self))
        self.take()
        self.expect("(")
        if self.path() != path:
            raise InvalidExpression("A set function must change the attribute that it is set to")
        self.expect(",")
        operand = Literal(self.value())
        self.expect(")")
        return Action(clause, path, operand)

    def attribute_name(self) -> str:
        """Return one name of a path, a table or an index; reserved words need quotes."""
        token = self.token
        if token.startswith('"') and len(token) > 1:
            return self.take()[1:-1].replace('""', '"')
        if _KEYWORD.fullmatch(token) or not re.match(r"[A-Za-z_]", token):
            raise self.syntax_error()
        return self.take()

    def operand(self) -> Operand:
        """Return a value, a document path or a function's call."""
        if self.token[:1] in "'?[{<-." or self.token[:1].isdigit() or self.keyword in LITERALS:
            return Literal(self.value())
        return super().operand()

    def comparison(self) -> Call:
        """Return a condition without AND, OR and NOT."""
        start = self.position
        operand = self.operand()
        if self.token == "!=":  # noqa: S105 - an operator
            self.tokens[self.position] = "<>"
        if not self.accept("IS"):
            self.position = start
            return super().comparison()
        is_negated = self.accept("NOT")
        if self.accept("NULL"):
            test = Call("attribute_type", (operand, Literal({"S": "NULL"})))
        else:
            self.expect("MISSING")
            test = Call("attribute_not_exists", (operand,))
        return Call("NOT", (test,)) if is_negated else test

    def choices(self) -> list[Operand]:
        """Return the operands of IN, in brackets or parentheses."""
        if self.token != "[":  # noqa: S105 - a bracket
            return super().choices()
        return [Literal(value) for value in self.value()["L"]]

    def value(self) -> Value:
        """Return a literal value or a parameter, as DynamoDB stores it."""
        value = self._literal()
        normalize_value(value)
        return value

    def _literal(self) -> Value:
        if self.keyword in LITERALS:
            return dict(LITERALS[self.take().upper()])
        if self.accept("?"):
            return self._parameter()
        if self.token in ("[", "<<", "{"):
            return self._collection()
        token = self.take()
        if token.startswith("'") and len(token) > 1:
            return {"S": token[1:-1].replace("''", "'")}
        return {"N": f"-{self.take()}" if token == "-" else token}  # noqa: S105 - a sign

    def _collection(self) -> Value:
        opening = self.take()
        if opening == "{":
            return {"M": self._members()}
        if opening == "[":
            return {"L": self._elements("]")}
        return self._set(self._elements(">>"))

    def _parameter(self) -> Value:
        position = self.parameters_used
        self.parameters_used += 1
        if position >= len(self.parameters):
            raise Rejected("Number of parameters in request and statement don't match.")
        return self.parameters[position]

    def _elements(self, end: str) -> list[Value]:
        if self.accept(end):
            return []
        elements = self.list_of(self._literal)
        self.expect(end)
        return elements

    def _set(self, elements: list[Value]) -> Value:
        tags = {next(iter(element)) for element in elements}
        if len(tags) != 1 or not tags <= {"S", "N", "B"}:
            raise InvalidExpression("The elements of a set must be of one type: S, N or B")
        (tag,) = tags
        return {f"{tag}S": [element[tag] for element in elements]}

    def _members(self) -> Image:
        members: dict[str, Any] = {}
        while not self.accept("}"):
            if members:
                self.expect(",")
            name = self._literal() if self.token.startswith("'") else {"S": self.attribute_name()}
            self.expect(":")
            members[name["S"]] = self._literal()
        return members


def column_name(path: Path) -> str:
    """Return the name under which SELECT returns the value at a path."""
    names = [index for index, element in enumerate(path) if isinstance(element, str)]
    last = names[-1]
    return str(path[last]) + "".join(f"[{element}]" for element in path[last + 1 :])


def conjuncts(condition: Operand | None) -> list[Call]:
    """Return the conditions that AND joins."""
    if not isinstance(condition, Call):
        return []
    if condition.name != "AND":
        return [condition]
    return [call for operand in condition.operands for call in conjuncts(operand)]


def equalities(condition: Call | None) -> Image:
    """Return the values that a condition requires of attributes by name."""
    required: Image = {}
    for call in conjuncts(condition):
        if call.name != "=":
            continue
        for first, other in (call.operands, call.operands[::-1]):
            if isinstance(first, Attribute) and isinstance(other, Literal) and len(first.path) == 1:
                required[str(first.path[0])] = other.value
    return required
