"""Compose: the files are valid, and agree with the program and with each other."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from syncd import __version__
from syncd.config import load
from syncd.service.admin.server import ENDING
from syncd.service.daemon import LEAVING
from tests.deploy.paperwork import (
    COMPOSE,
    DEMO,
    ROOT,
    SECRETS,
    SETTINGS,
    composed,
    files,
    health_check,
    instructions,
    plain,
)

SLACK = 10.0
"""Seconds for everything else that a daemon does when it ends."""
OURS = ("sandbox", "company", "syncd")
"""The services of the demo that run this program."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the compose file."""
    return composed(COMPOSE)


@pytest.fixture(scope="module")
def demo() -> dict[str, Any]:
    """Return the compose file that needs nothing."""
    return composed(DEMO)


def test_the_settings_of_a_container_are_accepted(tmp_path: Path) -> None:
    """Whoever fills in the secrets has a configuration without a problem."""
    values = {"state_url": "postgresql+psycopg://syncd:pw@postgres/syncd", "client_secret": "pw"}
    for name, value in values.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    text = SETTINGS.read_text(encoding="utf-8").replace(SECRETS, str(tmp_path))
    (tmp_path / "syncd.toml").write_text(text, encoding="utf-8")

    config = load(tmp_path / "syncd.toml", {})

    assert config.warnings == ()
    assert files() == [f"{SECRETS}/client_secret", f"{SECRETS}/state_url", "/srv/hr/people.csv"]


@pytest.mark.parametrize("file", [COMPOSE, DEMO], ids=lambda file: file.name)
def test_compose_takes_the_file(file: Path, tmp_path: Path) -> None:
    """Its own tool reads every line; a word that it does not know is named."""
    copy = plain(tmp_path, file)
    said = _config(copy)
    assert (said.returncode, said.stderr) == (0, "")

    copy.write_text(copy.read_text(encoding="utf-8").replace("read_only:", "readonly:", 1))
    assert "readonly" in _config(copy).stderr


def _config(file: Path) -> subprocess.CompletedProcess[str]:
    """Let compose's own tool check a file."""
    program = shutil.which("docker-compose")
    if program is None:
        reason = "docker-compose is not installed: apt-get install -y docker-compose"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return subprocess.run(
        [program, "--file", file, "config", "--quiet"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_daemon_has_the_time_it_takes_to_leave(
    compose: dict[str, Any], demo: dict[str, Any]
) -> None:
    """Whoever kills it earlier leaves the next run to settle what was in flight."""
    needed = LEAVING + ENDING + SLACK

    for each in (compose, demo):
        assert int(each["services"]["syncd"]["stop_grace_period"].rstrip("s")) >= needed


def test_the_version_is_the_programs(compose: dict[str, Any], demo: dict[str, Any]) -> None:
    """A release changes it in all places."""
    ours = [compose["services"]["syncd"], *(demo["services"][name] for name in OURS)]

    assert {service["image"] for service in ours} == {f"syncd:{__version__}"}
    assert compose["services"]["syncd"]["build"] == demo["services"]["sandbox"]["build"]


def test_compose_names_only_what_is_there(compose: dict[str, Any]) -> None:
    """Files beside it exist, but for the secrets and the people, which no repository holds."""
    services = compose["services"].values()
    mounted = [each.split(":")[0] for service in services for each in service.get("volumes", ())]
    kept = {each for each in mounted if not each.startswith(".")}
    missing = {each for each in mounted if not (COMPOSE.parent / each).exists()} - kept

    assert kept == set(compose["volumes"])
    assert missing <= {"./hr"}
    assert {each["file"] for each in compose["secrets"].values()} == {
        f"./secrets/{name}" for name in compose["secrets"]
    }
    assert not [name for service in services for name in service.get("depends_on", ())
                if name not in compose["services"]]  # fmt: skip


def test_compose_mounts_what_the_settings_name(compose: dict[str, Any]) -> None:
    """Secrets as files, people read-only, and nothing secret in a variable."""
    service = compose["services"]["syncd"]
    targets = {each["target"] for each in service["secrets"]}
    folders = {each.split(":")[1] for each in service["volumes"]}

    assert {file for file in files() if file.startswith(SECRETS)} == targets
    assert {str(Path(file).parent) for file in files()} - {SECRETS} <= folders
    assert all(each.endswith(":ro") for each in service["volumes"])
    assert "environment" not in service
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "container_name" not in service  # a second replica needs another one


def test_prometheus_has_the_rules_and_the_name_they_rely_on(compose: dict[str, Any]) -> None:
    """The job is called as in the configuration that is shipped for other installations."""
    folder = ROOT / "deploy" / "prometheus"
    shipped = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    used = yaml.safe_load((folder / "compose.yml").read_text(encoding="utf-8"))
    [job] = used["scrape_configs"]
    service = compose["services"]["prometheus"]

    assert used["rule_files"] == shipped["rule_files"]
    assert used["global"] == shipped["global"]
    assert job["job_name"] == shipped["scrape_configs"][0]["job_name"]
    assert job["dns_sd_configs"][0]["names"] == ["syncd"]
    assert "./prometheus:/etc/prometheus:ro" in service["volumes"]
    assert "--config.file=/etc/prometheus/compose.yml" in service["command"]


def test_grafana_finds_prometheus_and_the_dashboards(compose: dict[str, Any]) -> None:
    """What is provisioned is where the services and the volumes are; the overview comes first."""
    service = compose["services"]["grafana"]
    mounts = {each.split(":")[1]: each.split(":")[0] for each in service["volumes"]}
    folder = COMPOSE.parent / mounts["/etc/grafana/provisioning"]
    [source] = yaml.safe_load((folder / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    [provider] = yaml.safe_load((folder / "dashboards" / "syncd.yaml").read_text())["providers"]
    first = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert source["type"] == "prometheus"
    assert source["isDefault"]
    host = httpx.URL(source["url"]).host
    assert host in compose["services"]
    shown = COMPOSE.parent / mounts[provider["options"]["path"]]
    assert shown == ROOT / "deploy" / "grafana"
    assert (shown / first.relative_to(provider["options"]["path"])).is_file()


def test_whoever_opens_grafana_may_only_look(compose: dict[str, Any]) -> None:
    """Nobody signs in, there is no administrator, and nothing is told to its makers."""
    said = compose["services"]["grafana"]["environment"]

    assert said["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert said["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert said["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert said["GF_ANALYTICS_REPORTING_ENABLED"] == "false"


def test_only_this_machine_reaches_what_has_no_door(
    compose: dict[str, Any], demo: dict[str, Any]
) -> None:
    """Every port is one of the loopback address."""
    services = [*compose["services"].values(), *demo["services"].values()]
    ports = [port for service in services for port in service.get("ports", ())]

    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_demo_needs_nothing_that_is_not_there(demo: dict[str, Any]) -> None:
    """No secret, no folder of one's own, and only commands of this program."""
    ours = {name: demo["services"][name] for name in OURS}
    volumes = [each.split(":")[0] for one in ours.values() for each in one["volumes"]]

    assert "secrets" not in demo
    assert [one["pull_policy"] for one in ours.values()] == ["build", "never", "never"]
    assert set(volumes) <= set(demo["volumes"])
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in ours.values())
    named = {name for one in demo["services"].values() for name in one.get("depends_on", ())}
    assert named <= set(demo["services"])
    assert {one["extends"]["service"] for one in demo["services"].values() if "extends" in one} == {
        "prometheus",
        "grafana",
    }


def test_prometheus_finds_the_daemon_of_the_demo(demo: dict[str, Any]) -> None:
    """It stands on the sandbox's machine, which therefore has its name and its port."""
    [port] = [rest for word, rest in instructions() if word == "EXPOSE"]
    sandbox, syncd = demo["services"]["sandbox"], demo["services"]["syncd"]

    assert syncd["network_mode"] == "service:sandbox"
    assert sandbox["networks"]["default"]["aliases"] == ["syncd"]
    assert sandbox["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert syncd["environment"]["SYNCD_ADMIN__LISTEN"] == f"0.0.0.0:{port}"
    assert "healthcheck" not in syncd
    assert health_check()
