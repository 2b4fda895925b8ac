"""The alert rules: valid, tested in both directions, explained, and as the daemon is configured."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta

from syncd.config.service import Daemon
from syncd.service.scheduler import previous
from tests.deploy.house import DEPLOY, needed

FOLDER = DEPLOY / "prometheus"
RULES = (FOLDER / "syncd-rules.yml").read_text(encoding="utf-8")
CASES = "".join(file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*-test.yml")))
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES, re.MULTILINE)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def promtool(*words: str) -> str:
    """Run promtool where the rules are, and return what it says; it must be content."""
    program = needed("promtool", "prometheus")
    done = subprocess.run(
        [program, *words], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_and_its_rules_are_valid() -> None:
    """Prometheus's own tool accepts them, with nothing to remark."""
    said = promtool("check", "config", "prometheus.yml")
    assert "SUCCESS" in said
    assert "WARN" not in said


def test_alerts_fire_and_stay_quiet_where_they_must() -> None:
    """All cases hold, by Prometheus's own tool."""
    files = sorted(file.name for file in FOLDER.glob("*-test.yml"))
    assert promtool("test", "rules", *files).count("SUCCESS") == len(files)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    """No rule goes without; no case is about a rule that is gone."""
    quiet = re.findall(r"alertname: (\w+), exp_alerts: \[\]", CASES)
    firing = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", CASES)
    assert len(ALERTS) == len(set(ALERTS)) >= 13
    assert set(quiet) == set(ALERTS)
    assert set(firing) == set(ALERTS)


def test_every_recorded_series_has_a_case() -> None:
    """By itself, or through an alert that reads it."""
    recorded = set(re.findall(r"^ +- record: (\S+)$", RULES, re.MULTILINE))
    alerts = RULES.partition("- name: syncd-alerts")[2]
    assert recorded
    assert {name for name in recorded if name not in CASES and name not in alerts} == set()


def test_every_alert_says_how_urgent_it_is_and_where_it_is_explained() -> None:
    """A page or a ticket, and a page of its own in the manual."""
    severities = re.findall(r"^ +labels: {severity: (\w+)}$", RULES, re.MULTILINE)
    links = re.findall(r"^ +runbook_url: (\S+)$", RULES, re.MULTILINE)
    assert set(severities) == {"page", "ticket"}
    assert len(severities) == len(ALERTS)
    assert links == [f"deploy/README.md#{name.lower()}" for name in ALERTS]
    manual = (DEPLOY / "README.md").read_text(encoding="utf-8").partition("\n## Runbooks\n")[2]
    assert re.findall(r"^### (Syncd\w+)$", manual, re.MULTILINE) == ALERTS
    urgency = re.findall(r"^### Syncd\w+\n\n\*(Page|Ticket)\.\*", manual, re.MULTILINE)
    assert [word.lower() for word in urgency] == severities


def test_intervals_in_the_rules_are_those_of_the_daemon() -> None:
    """What counts as late follows from the defaults of the configuration."""
    pattern = r"expr: vector\((\d+)\)\n +labels: {task: (\w+)}"
    stated = {task: timedelta(seconds=int(number)) for number, task in re.findall(pattern, RULES)}
    assert stated == {task: interval(task) for task in stated}
    assert set(stated) == {"delta", "full", "conflicts", "preflight", "housekeeping"}


def interval(task: str) -> timedelta:
    """Return the time between two starts of a task."""
    settings = Daemon()
    when = getattr(settings, task)
    last = previous(when, settings.timezone, NOW)
    assert last is not None
    if len(when.split()) == 1:
        return NOW - last
    before = previous(when, settings.timezone, last - timedelta(seconds=1))
    assert before is not None
    return last - before
