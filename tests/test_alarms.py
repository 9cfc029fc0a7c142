"""Alarms and dashboard, held against what is deployed, what is measured and what is written down. Queues, functions,
metrics and headings are found and not listed: a new one is asked for without anyone remembering it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import package
from tests.conftest import ROOT
from tests.watch import a_hard_day, watching

OURS = {"Fn::Sub": "Cordon/${AWS::StackName}"}
_At = frozenset[str]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to: Path = tmp_path_factory.mktemp("alarms") / "out"
    package.package(to, dependencies=False)
    return to


@pytest.fixture(scope="module")
def template(out: Path) -> dict[str, Any]:
    return package.read(out / "sam.yaml")


@pytest.fixture(scope="module")
def emitted() -> set[tuple[str, _At]]:
    """Every metric that the code was seen to write, with the names of its dimensions."""
    with watching(capacity=9) as watch:
        a_hard_day(watch)
        return {(name, frozenset(dict(at))) for name, at in watch.measured}


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == kind}


def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::CloudWatch::Alarm")


def watched(template: dict[str, Any], metric: str, of: Any) -> list[dict[str, Any]]:
    """The alarms on that metric of that queue or function."""
    return [
        alarm
        for alarm in alarms(template).values()
        if alarm.get("MetricName") == metric and of in [d["Value"] for d in alarm.get("Dimensions", ())]
    ]


def queues(template: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Those that work, and those for what could not be done."""
    every = of_type(template, "AWS::SQS::Queue")
    dead = [
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in every.values()
        if "RedrivePolicy" in queue
    ]
    return [name for name in every if name not in dead], dead


def test_every_queue_is_watched_for_old_messages_and_every_dead_letter_queue_for_any(
    template: dict[str, Any],
) -> None:
    working, dead = queues(template)
    assert len(working) == len(dead) > 0
    for name in working:
        (alarm,) = watched(template, "ApproximateAgeOfOldestMessage", {"Fn::GetAtt": [name, "QueueName"]})
        visibility = of_type(template, "AWS::SQS::Queue")[name]["VisibilityTimeout"]
        assert alarm["Statistic"] == "Maximum"
        assert alarm["Threshold"] > visibility, "one failure alone is no alarm: the message comes again"
    for name in dead:
        (alarm,) = watched(
            template, "ApproximateNumberOfMessagesVisible", {"Fn::GetAtt": [name, "QueueName"]}
        )
        assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 1)
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"


def test_every_function_is_watched_for_errors_throttles_and_the_end_of_its_time(
    template: dict[str, Any],
) -> None:
    found = of_type(template, "AWS::Serverless::Function")
    assert found
    for name, function in found.items():
        for metric in ("Errors", "Throttles"):
            alarms_on = watched(template, metric, {"Ref": name})
            assert len(alarms_on) == 1, f"one alarm on {metric} of {name} was expected"
            (alarm,) = alarms_on
            assert (alarm["Namespace"], alarm["Statistic"], alarm["Threshold"]) == ("AWS/Lambda", "Sum", 1)
        (slow,) = watched(template, "Duration", {"Ref": name})
        assert slow["Statistic"] == "Maximum"
        assert slow["Threshold"] == function["Timeout"] * 800, f"four fifths of {name}'s timeout in ms"


def test_the_api_and_the_table_are_watched(template: dict[str, Any]) -> None:
    api = {"Fn::Sub": "${AWS::StackName}-api"}
    assert of_type(template, "AWS::Serverless::Api")["RestAPI"]["Name"] == api
    stage = of_type(template, "AWS::Serverless::Api")["RestAPI"]["StageName"]
    for metric in ("5XXError", "Latency"):
        (alarm,) = watched(template, metric, api)
        assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {"ApiName": api, "Stage": stage}
    asked = {query for _, query in insights(template)}
    for metric in ("ThrottledRequests", "SystemErrors"):
        assert any(f"SUM({metric})" in query and "'${FactsTable}'" in query for query in asked), metric


def test_a_schedule_that_stops_is_an_alarm_because_nothing_comes(template: dict[str, Any]) -> None:
    schedules = [
        name
        for name, function in of_type(template, "AWS::Serverless::Function").items()
        if any(event["Type"] == "Schedule" for event in function.get("Events", {}).values())
    ]
    silent = {
        alarm["MetricName"]: alarm
        for alarm in alarms(template).values()
        if alarm["TreatMissingData"] != "notBreaching"
    }
    assert set(silent) == {f"{name}Ran" for name in schedules}
    for alarm in silent.values():
        assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")


def insights(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each alarm that asks in SQL, with its query."""
    for name, alarm in alarms(template).items():
        for query in alarm.get("Metrics", ()):
            expression = query.get("Expression")
            if isinstance(expression, dict):
                yield name, expression["Fn::Sub"]


def watched_of_ours(template: dict[str, Any]) -> Iterator[tuple[str, tuple[str, _At]]]:
    """Each metric of ours that an alarm watches, by the alarm's name."""
    for name, alarm in alarms(template).items():
        if alarm.get("Namespace") == OURS:
            yield name, (alarm["MetricName"], frozenset(d["Name"] for d in alarm.get("Dimensions", ())))
        for query in alarm.get("Metrics", ()):
            metric = query.get("MetricStat", {}).get("Metric")
            if metric is not None and metric["Namespace"] == OURS:
                yield name, (metric["MetricName"], frozenset(d["Name"] for d in metric.get("Dimensions", ())))
    for name, query in insights(template):
        asked = re.fullmatch(r'SELECT SUM\((\w+)\) FROM SCHEMA\("([^"]+)"((?:, \w+)*)\)( .*)?', query)
        assert asked is not None, query
        if asked[2] == OURS["Fn::Sub"]:
            yield name, (asked[1], frozenset(asked[3].replace(",", "").split()))


def test_what_an_alarm_of_ours_watches_is_really_written(
    template: dict[str, Any], emitted: set[tuple[str, _At]]
) -> None:
    found = dict(watched_of_ours(template))
    assert len(found) >= 12
    assert {name: metric for name, metric in found.items() if metric not in emitted} == {}


def test_a_courier_that_fails_is_found_among_all_of_them(template: dict[str, Any]) -> None:
    queries = [query for _, query in insights(template) if "courier" in query]
    assert {re.findall(r"SUM\((\w+)\)", query)[0] for query in queries} == {
        "CourierUnanswered",
        "CourierUnknown",
    }
    assert all(
        query.endswith("GROUP BY courier ORDER BY SUM() DESC LIMIT 1") for query in queries
    )  # an alarm takes one series


def test_what_the_dashboard_shows_is_really_written(
    template: dict[str, Any], emitted: set[tuple[str, _At]]
) -> None:
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    shown = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    space = OURS["Fn::Sub"]
    found: set[tuple[str, _At]] = set()
    taken: set[tuple[int, int]] = set()
    for widget in shown["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, widget["properties"]["title"]
        taken |= cells
        for metric in widget["properties"]["metrics"]:
            if metric[0] == space:
                found.add((metric[1], frozenset(m for m in metric[2::2] if isinstance(m, str))))
            elif isinstance(metric[0], dict) and space in metric[0]["expression"]:
                asked = re.search(r'\{"[^"]+",(\w+)\} MetricName="(\w+)"', metric[0]["expression"])
                assert asked is not None, metric
                found.add((asked[2], frozenset({asked[1]})))
    assert len(found) > 20
    assert found - emitted == set()
    assert {name for name, _ in emitted} == {name for name, _ in found}, "what is measured can be seen"


def chapter() -> dict[str, str]:
    """The sections of docs/operate.md on alarms, by heading."""
    text = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    part = text.partition("\n## Each alarm and what to do\n")[2].partition("\n## ")[0]
    return {head: body for head, _, body in (s.partition("\n") for s in part.split("\n### ")[1:])}


def test_every_alarm_tells_the_topic_and_names_its_heading_in_the_manual(template: dict[str, Any]) -> None:
    sections, used = chapter(), set()
    for name, alarm in alarms(template).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        heading = alarm["AlarmDescription"].removeprefix("docs/operate.md: ")
        assert f"`{name}`" in sections[heading].partition("**Means.**")[0], (name, heading)
        used.add(heading)
    assert used == set(sections)
    named = {
        found for body in sections.values() for found in re.findall(r"`(\w+)`", body.split("**Means.**")[0])
    }
    assert named == set(alarms(template))


@pytest.mark.parametrize("heading", chapter())
def test_every_alarm_is_explained_shown_and_answered(heading: str) -> None:
    body = chapter()[heading]
    parts = re.split(r"\*\*(Means|See|Do)\.\*\*", body)
    assert parts[1::2] == ["Means", "See", "Do"]
    assert all(len(part.split()) >= 3 for part in parts[2::2])


def test_what_the_manual_asks_the_log_for_is_really_written_there() -> None:
    with watching(capacity=9) as watch:
        a_hard_day(watch)
        events = {line["event"] for line in watch.lines}
        names = {name for line in watch.lines for name in line}
    text = "\n".join(chapter().values())
    assert set(re.findall(r'filter event = "(\w+)"', text)) <= events
    manual = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    asked = {
        name
        for fields in re.findall(r"^fields @timestamp, (.*)$", manual, re.M)
        for name in fields.split(", ")
    }
    assert asked - {"request"} <= names


def test_alarms_are_encrypted_with_a_key_that_lets_them_publish(template: dict[str, Any]) -> None:
    topic = of_type(template, "AWS::SNS::Topic")["AlarmTopic"]
    key = of_type(template, "AWS::KMS::Key")[topic["KmsMasterKeyId"]["Ref"]]
    allowed = [
        action
        for statement in key["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        for action in statement["Action"]
    ]
    assert set(allowed) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    (subscription,) = (r for r in template["Resources"].values() if r["Type"] == "AWS::SNS::Subscription")
    assert subscription["Condition"] == "HasAlarmEmail"


def test_every_log_ends_after_thirty_days(template: dict[str, Any]) -> None:
    groups = of_type(template, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    named = {group["LogGroupName"]["Fn::Sub"] for group in groups.values() if "LogGroupName" in group}
    assert named == {f"/aws/lambda/${{{name}}}" for name in of_type(template, "AWS::Serverless::Function")}


def test_the_access_log_says_which_route_and_how_it_went_and_nothing_of_whom(
    template: dict[str, Any],
) -> None:
    api = of_type(template, "AWS::Serverless::Api")["RestAPI"]
    assert api["AccessLogSetting"]["DestinationArn"] == {"Fn::GetAtt": ["ApiAccessLog", "Arn"]}
    # what is always there is a number, so that it can be compared and averaged
    said = json.loads(re.sub(r":(\$context\.\w+)", r':"\1"', api["AccessLogSetting"]["Format"]))
    assert {
        "$context.requestId",
        "$context.status",
        "$context.responseLatency",
        "$context.resourcePath",
    } <= set(said.values())
    assert not [v for v in said.values() if v == "$context.path" or "identity" in v or "query" in v.lower()]
    assert all("DataTraceEnabled" not in setting for setting in api["MethodSettings"]), (
        "bodies stay out of logs"
    )


def test_lambda_itself_reports_only_the_runs_that_failed(template: dict[str, Any]) -> None:
    assert template["Globals"]["Function"]["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
    }


def test_the_template_has_no_yaml_aliases_for_cloudformation_reads_none(out: Path) -> None:
    assert not re.findall(r"(?m)[:-] [&*]id\d+", (out / "sam.yaml").read_text())
