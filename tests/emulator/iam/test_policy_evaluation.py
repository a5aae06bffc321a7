"""Policy evaluation: explicit deny, wildcards, conditions and trust, as on AWS."""

from fnmatch import fnmatchcase
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.services.iam.policy_evaluation import (
    Decision,
    NotModelled,
    allows,
    decide,
    parse_statements,
    trusts,
)

ACCOUNT = "123456789012"
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/changes"

names = st.text("ab/:.", max_size=6)
patterns = st.text("ab/:.*?", max_size=6)
effects = st.sampled_from(["Allow", "Deny"])


@st.composite
def arns(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """Draw an ARN of six parts, of which only the last may contain colons."""
    parts = [draw(texts).replace(":", "") for _ in range(5)]
    return ":".join([*parts, draw(texts)])


@st.composite
def policies(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw documents with few actions and resources, so that their statements often overlap."""
    statement = st.fixed_dictionaries(
        {
            "Effect": effects,
            "Action": st.lists(st.sampled_from(["s:A", "s:B", "s:*", "*"]), min_size=1),
            "Resource": st.sampled_from(["*", "a:b:c:d:e:1", "a:b:c:d:e:*"]),
        }
    )
    document = st.fixed_dictionaries({"Statement": st.lists(statement, max_size=3)})
    return draw(st.lists(document, max_size=3))


def statement(**members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s:A", "Resource": "*", **members}


def is_allowed(document_statement: dict[str, Any], context: dict[str, str] | None = None) -> bool:
    return allows([{"Statement": document_statement}], "s:A", STREAM, context or {})


@given(patterns, names)
@example("S:a*", "s:ABC")
def test_actions_match_wildcards_in_any_case(pattern: str, action: str) -> None:
    documents = [{"Statement": statement(Action=pattern)}]
    assert allows(documents, action, "x", {}) == fnmatchcase(action.lower(), pattern.lower())


@given(arns(patterns), arns(names))
@example("arn:aws:s3:::lake/*", "arn:aws:s3:::lake/a/b:c")
@example("arn:aws:lambda:r:1:function:f", "arn:aws:lambda:r:1:function:f:$LATEST")
@example("*:*:*:*:*:*", "arn:aws:s3:::lake")
@example("arn:a*:c:d:e:f", "arn:ab:c:c:d:e:f")
def test_resources_match_part_by_part(pattern: str, resource: str) -> None:
    pairs = zip(pattern.split(":", 5), resource.split(":", 5), strict=True)
    expected = all(fnmatchcase(part, part_pattern) for part_pattern, part in pairs)
    assert allows([{"Statement": statement(Resource=pattern)}], "s:A", resource, {}) == expected


@given(policies(), st.randoms())
def test_order_of_statements_does_not_matter(
    documents: list[dict[str, Any]], random: Random
) -> None:
    statements = [parsed for document in documents for parsed in parse_statements(document)]
    shuffled_statements = random.sample(statements, len(statements))
    decision = decide(statements, "s:A", "a:b:c:d:e:1", {})
    assert decide(shuffled_statements, "s:A", "a:b:c:d:e:1", {}) is decision


@given(policies())
def test_deny_beats_every_allow(documents: list[dict[str, Any]]) -> None:
    with_deny = [{"Statement": statement(Effect="Deny")}, *documents]
    assert not allows(with_deny, "s:A", "a:b:c:d:e:1", {})


@given(policies())
def test_nothing_is_allowed_without_an_allow(documents: list[dict[str, Any]]) -> None:
    without_allow = [
        {"Statement": [parsed for parsed in document["Statement"] if parsed["Effect"] == "Deny"]}
        for document in documents
    ]
    assert not allows(without_allow, "s:A", "a:b:c:d:e:1", {})
    assert decide([], "s:A", "*", {}) is Decision.NOT_MENTIONED


@given(patterns, names)
def test_not_action_complements_action(pattern: str, action: str) -> None:
    positive = {"Statement": statement(Action=pattern)}
    negative = {"Statement": {"Effect": "Allow", "NotAction": pattern, "Resource": "*"}}
    assert allows([positive], action, "x", {}) != allows([negative], action, "x", {})


@given(arns(patterns), arns(names))
def test_not_resource_complements_resource(pattern: str, resource: str) -> None:
    positive = {"Statement": statement(Resource=pattern)}
    negative = {"Statement": {"Effect": "Allow", "Action": "*", "NotResource": pattern}}
    assert allows([positive], "s:A", resource, {}) != allows([negative], "s:A", resource, {})


@pytest.mark.parametrize(
    ("operator", "expected", "match", "other"),
    [
        ("StringEquals", "lake/", "lake/", "Lake/"),
        ("StringEqualsIgnoreCase", "lake/", "LAKE/", "lake"),
        ("StringLike", "lake/*", "lake/dt=1/", "errors/"),
        ("StringLike", ["a", "lake/?"], "lake/x", "lake/xy"),
        ("StringLike", "Lake", "Lake", "lake"),
        ("ArnLike", "arn:aws:pipes:*:1:pipe/p*", "arn:aws:pipes:r:1:pipe/p1", "arn:aws:sns:r:1:p"),
        ("ArnEquals", "arn:aws:pipes:*:1:pipe/p*", "arn:aws:pipes:r:1:pipe/p", "arn:aws:sns:r:1:p"),
        ("Bool", True, "true", "false"),
        ("Bool", "false", "false", "true"),
    ],
)
def test_conditions_and_negations_match_values(
    operator: str, expected: Any, match: str, other: str
) -> None:
    conditional = statement(Condition={operator: {"s3:prefix": expected}})
    assert is_allowed(conditional, {"s3:prefix": match})
    assert is_allowed(conditional, {"S3:Prefix": match})
    assert not is_allowed(conditional, {"s3:prefix": other})
    assert not is_allowed(conditional)
    assert is_allowed(statement(Condition={f"{operator}IfExists": {"s3:prefix": expected}}))
    if operator != "Bool":
        negation = operator.replace("String", "StringNot").replace("Arn", "ArnNot")
        negated = statement(Condition={negation: {"s3:prefix": expected}})
        assert not is_allowed(negated, {"s3:prefix": match})
        assert is_allowed(negated, {"s3:prefix": other})
        assert is_allowed(negated)


def test_all_conditions_of_a_statement_must_hold() -> None:
    conditions = {"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}
    assert is_allowed(statement(Condition=conditions), {"s3:prefix": "a", "s3:delimiter": "/"})
    assert not is_allowed(statement(Condition=conditions), {"s3:prefix": "a", "s3:delimiter": "|"})


@pytest.mark.parametrize(
    ("members", "feature"),
    [
        ({"Condition": {"NumericLessThan": {"s3:prefix": "1"}}}, "NumericLessThan"),
        ({"Condition": {"ForAnyValue:StringEquals": {"s3:prefix": "1"}}}, "ForAnyValue"),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o"}}}, "aws:PrincipalOrgID"),
        ({"Condition": {"StringEquals": {"s3:prefix": "${aws:username}"}}}, "username"),
        ({"Resource": "arn:aws:s3:::${aws:username}"}, "username"),
        ({"Resource": "arn:aws:s3"}, "six parts"),
        ({"NotPrincipal": "*"}, "NotPrincipal"),
    ],
)
def test_features_not_modelled_are_named(members: dict[str, Any], feature: str) -> None:
    with pytest.raises(NotModelled, match=feature):
        parse_statements({"Statement": [statement(**members)]})


@pytest.mark.parametrize(
    ("members", "is_trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["lambda.amazonaws.com", "glue.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}, False),
        ({"Condition": {"StringEquals": {"sts:ExternalId": ACCOUNT}}}, False),
    ],
)
def test_role_trusts_only_the_service_it_names(members: dict[str, Any], is_trusted: bool) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "glue.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **members,
    }
    statements = parse_statements({"Statement": trust})
    context = {"aws:SourceAccount": ACCOUNT}
    assert trusts(statements, "glue.amazonaws.com", context) is is_trusted
