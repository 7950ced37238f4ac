"""The metrics' documentation, the alert rules and the dashboard speak of the metrics that there are."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.exposed_metrics import exposed_metrics, metrics_named_in
from support.tools import tool

from streams.settings import Settings

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/holdfast.json").read_text("utf-8"))
DOCUMENT = (ROOT / "docs/metrics.md").read_text("utf-8")
RULES = (PROMETHEUS / "alerts.yml").read_text("utf-8")
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES, re.M)
ROW = re.compile(r"^\| `(?P<name>holdfast_\w+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\| [^|]+ \|$", re.M)
ROWS = {row["name"]: row for row in ROW.finditer(DOCUMENT)}
EXPOSED = exposed_metrics()
SERIES = frozenset[str]().union(*(metric.series for metric in EXPOSED.values()))
LABELS = {"le", "job", "instance"}.union(*(metric.labels for metric in EXPOSED.values()))


def expressions(part: Any) -> list[str]:
    """All PromQL of the dashboard."""
    if isinstance(part, list):
        return [each for inner in part for each in expressions(inner)]
    if isinstance(part, dict):
        own = [part["expr"]] if "expr" in part else []
        return own + expressions(list(part.values()))
    return []


def test_the_document_has_every_metric_and_nothing_else() -> None:
    assert set(ROWS) == set(EXPOSED)


@pytest.mark.parametrize("name", EXPOSED)
def test_the_document_has_type_and_labels(name: str) -> None:
    documented = ROWS[name]["type"], tuple(re.findall(r"`(\w+)`", ROWS[name]["labels"]))
    assert documented == (EXPOSED[name].type, EXPOSED[name].labels)


def test_alert_rules_ask_for_metrics_that_there_are() -> None:
    assert metrics_named_in(RULES) - SERIES == set()


def test_tests_of_alert_rules_feed_metrics_that_there_are() -> None:
    tests = "".join(path.read_text("utf-8") for path in PROMETHEUS.glob("*.test.yml"))
    assert metrics_named_in(tests) - SERIES == set()


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tested_and_says_what_to_do(alert: str) -> None:
    tests = "".join(path.read_text("utf-8") for path in PROMETHEUS.glob("*.test.yml"))
    assert re.search(rf"- alertname: {alert}\n.*\n +exp_alerts:\n +- exp_labels", tests)
    assert f"\n### {alert}\n" in DOCUMENT


def test_a_lane_is_behind_for_the_alert_when_it_is_for_the_worker() -> None:
    assert f"(holdfast_lane_lag_records) >= {Settings().deadline.lag_enter}\n" in RULES


def test_the_dashboard_shows_every_metric_and_asks_for_no_other() -> None:
    shown = metrics_named_in(" ".join(expressions(DASHBOARD)))
    assert shown - SERIES == set()
    assert {name for name, metric in EXPOSED.items() if not shown & metric.series} == set()


def test_dashboard_and_rules_ask_for_labels_that_there_are() -> None:
    promql = " ".join([RULES, *expressions(DASHBOARD)])
    grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", promql) for label in re.split(r",\s*", group)}
    matched = set(re.findall(r"(\w+)=~?\"", promql))
    assert (grouped | matched) - LABELS - {"alertname", "alertstate"} == set()


def test_the_dashboard_asks_the_data_source_that_is_provisioned() -> None:
    provisioned = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")
    asked = set(re.findall(r'"uid": "([^"]+)"', json.dumps(DASHBOARD["panels"])))
    assert asked == set(re.findall(r"^ +uid: (\S+)", provisioned, re.M))


def test_prometheus_accepts_configuration_and_rules() -> None:
    promtool = tool("promtool", package="prometheus")
    subprocess.run([promtool, "check", "config", "prometheus.yml"], cwd=PROMETHEUS, check=True)


def test_alert_rules_fire_when_they_should_and_not_before() -> None:
    promtool = tool("promtool", package="prometheus")
    tests = sorted(path.name for path in PROMETHEUS.glob("*.test.yml"))
    subprocess.run([promtool, "test", "rules", *tests], cwd=PROMETHEUS, check=True, timeout=170)


def test_prometheus_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    promtool = tool("promtool", package="prometheus")
    queries = [each.replace("$__rate_interval", "1m") for each in expressions(DASHBOARD)]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")  # JSON is YAML
    subprocess.run([promtool, "check", "rules", str(file)], check=True)
