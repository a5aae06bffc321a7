"""Alarms: whether one fires, and whether any that does would notify somebody."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import boto3

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory
from setup.names import ALARM_TOPIC, arn

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef


ALARM_NAMES = import_module("setup.09_alarms").ALARM_NAMES


def check(_: MetricHistory | None) -> CheckResult:
    """List the pipeline's alarms that are firing, with their reasons."""
    alarms = _alarms()
    if not alarms:
        return CheckResult("alarms", "missing", Status.PROBLEM, "python setup/09_alarms.py")
    firing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    if firing:
        message = "; ".join(map(_reason, firing))
        remedy = "fix the causes; alarms clear within five minutes, those on silence within an hour"
        return CheckResult("alarms", message, Status.PROBLEM, remedy)
    silent = [alarm["AlarmName"] for alarm in alarms if not alarm["ActionsEnabled"]]
    if silent:
        message = f"the actions of {', '.join(silent)} are disabled"
        remedy = f"aws cloudwatch enable-alarm-actions --alarm-names {' '.join(silent)}"
        return CheckResult("alarms", message, Status.PROBLEM, remedy)
    new = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "INSUFFICIENT_DATA"]
    if new:
        message = f"not evaluated yet: {', '.join(new)}"
        return CheckResult("alarms", message, Status.UNKNOWN, "check again in five minutes")
    return _check_recipients(alarms)


def _check_recipients(alarms: list[MetricAlarmTypeDef]) -> CheckResult:
    """Check that the pipeline's topic, if an alarm notifies it, has a confirmed subscriber."""
    message = f"0 of {len(alarms)} alarms firing"
    topic = arn("sns", ALARM_TOPIC)
    if not any(topic in alarm.get("AlarmActions", ()) for alarm in alarms):
        return CheckResult("alarms", message)
    attributes = boto3.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    if int(attributes.get("SubscriptionsConfirmed", 0)):
        return CheckResult("alarms", message)
    text = f"{message}, but topic {ALARM_TOPIC} has no confirmed subscription"
    remedy = "confirm the e-mail of AWS, or run ALARM_EMAIL=… python setup/09_alarms.py"
    return CheckResult("alarms", text, Status.PROBLEM, remedy)


def _reason(alarm: MetricAlarmTypeDef) -> str:
    return f"{alarm['AlarmName']}: {alarm.get('StateReason', '')}"


def _alarms() -> list[MetricAlarmTypeDef]:
    """Return the alarms of setup that exist; a prefix would need permission for every alarm."""
    return boto3.client("cloudwatch").describe_alarms(AlarmNames=ALARM_NAMES)["MetricAlarms"]
