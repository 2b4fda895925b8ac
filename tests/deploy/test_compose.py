"""Compose and Kubernetes: the files are valid, and agree with the program and with each other."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from syncd import __version__
from syncd.config import load
from syncd.service.admin.server import ENDING
from syncd.service.daemon import LEAVING
from tests.deploy.paperwork import COMPOSE, KUBERNETES, ROOT, instructions, manifest

SETTINGS = ROOT / "deploy" / "syncd.toml"
RESOURCES = ("configmap", "deployment", "networkpolicy", "pdb", "service")
SECRETS = "/run/secrets/syncd"
SLACK = 10.0
"""Seconds for everything else that a daemon does when it ends."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the compose file."""
    found = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def pod() -> dict[str, Any]:
    """Return the pod of the deployment."""
    found = manifest("deployment")["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def referred(settings: object) -> Iterator[str]:
    """Find the files that the settings refer to, for secrets and for people."""
    match settings:
        case {"file": str(path)} | {"path": str(path)}:
            yield path
        case dict():
            for each in settings.values():
                yield from referred(each)
        case list():
            for each in settings:
                yield from referred(each)


def files() -> list[str]:
    """Return the files that the container's settings refer to."""
    return sorted(referred(tomllib.loads(SETTINGS.read_text(encoding="utf-8"))))


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


def test_kubernetes_has_the_same_settings() -> None:
    """One text for both; whoever changes it changes both."""
    assert manifest("configmap")["data"] == {"syncd.toml": SETTINGS.read_text(encoding="utf-8")}


@pytest.mark.parametrize("name", RESOURCES)
def test_kubernetes_takes_the_manifest(name: str) -> None:
    """The schema of the server judges it; no key is unknown."""
    assert kubernetes_validate.validate(manifest(name), "1.35", strict=True)


def test_no_manifest_is_left_out() -> None:
    """The kustomization names every file that is there."""
    there = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}

    assert set(manifest("kustomization")["resources"]) == there
    assert there == {f"{name}.yaml" for name in RESOURCES}


def test_every_selector_means_the_pods() -> None:
    """The service, the policy, the budget and the spread are about what the deployment starts."""
    deployment = manifest("deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    [spread] = pod()["topologySpreadConstraints"]
    chosen = [
        deployment["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
        manifest("pdb")["spec"]["selector"]["matchLabels"],
        manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"],
        manifest("service")["spec"]["selector"],
    ]

    assert all(each.items() <= labels.items() for each in chosen)


def test_the_pod_may_nothing() -> None:
    """What the standard called "restricted" asks for, and a file system that cannot be changed."""
    [container] = pod()["containers"]
    inside, outside = container["securityContext"], pod()["securityContext"]
    [user] = {rest for word, rest in instructions() if word == "USER"}

    assert inside["readOnlyRootFilesystem"]
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert outside["runAsNonRoot"]
    assert outside["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"{outside['runAsUser']}:{outside['runAsGroup']}" == user
    assert pod()["automountServiceAccountToken"] is False


def test_the_cluster_sets_no_setting_by_accident() -> None:
    """For each service Kubernetes sets NAME_PORT; what begins with SYNCD_ is for settings only."""
    assert manifest("service")["metadata"]["name"] == "syncd"
    assert pod()["enableServiceLinks"] is False


def test_all_files_that_the_settings_name_are_mounted() -> None:
    """In Kubernetes: in a folder that a volume provides, secrets from a Secret."""
    [container] = pod()["containers"]
    volumes = {each["name"]: each for each in pod()["volumes"]}
    mounts = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}

    assert {str(Path(file).parent) for file in files()} <= set(mounts)
    assert mounts[SECRETS]["secret"]["secretName"] == "syncd"
    assert mounts["/etc/syncd"]["configMap"]["name"] == manifest("configmap")["metadata"]["name"]
    assert not any("env" in each or "envFrom" in each for each in pod()["containers"])


def test_one_port_everywhere() -> None:
    """The settings, the image, the probes, the service, the policy and the annotation agree."""
    listen = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["admin"]["listen"]
    port = int(listen.rpartition(":")[2])
    [container] = pod()["containers"]
    annotations = manifest("deployment")["spec"]["template"]["metadata"]["annotations"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in
              ("startup", "liveness", "readiness")}  # fmt: skip

    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert [probe["path"] for probe in probes.values()] == ["/healthz", "/healthz", "/readyz"]
    assert manifest("service")["spec"]["ports"][0]["port"] == port
    assert manifest("networkpolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port
    assert annotations["prometheus.io/port"] == str(port)
    assert [rest for word, rest in instructions() if word == "EXPOSE"] == [str(port)]


def test_a_daemon_has_the_time_it_takes_to_leave(compose: dict[str, Any]) -> None:
    """Whoever kills it earlier leaves the next run to settle what was in flight."""
    unit = (ROOT / "deploy" / "systemd" / "syncd.service").read_text(encoding="utf-8")
    systemd = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert systemd is not None
    needed = LEAVING + ENDING + SLACK

    assert pod()["terminationGracePeriodSeconds"] >= needed
    assert int(compose["services"]["syncd"]["stop_grace_period"].rstrip("s")) >= needed
    assert int(systemd[1]) >= needed


def test_the_version_is_the_programs(compose: dict[str, Any]) -> None:
    """A release changes it in all places."""
    [container] = pod()["containers"]
    [image] = manifest("kustomization")["images"]

    assert image == {"name": "syncd", "newTag": __version__}
    assert container["image"] == compose["services"]["syncd"]["image"] == f"syncd:{__version__}"


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
    shipped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    inline = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    [job] = inline["scrape_configs"]

    assert inline["rule_files"] == shipped["rule_files"]
    assert job["job_name"] == shipped["scrape_configs"][0]["job_name"]
    assert job["dns_sd_configs"][0]["names"] == ["syncd"]
    assert (
        "./prometheus/syncd-rules.yml:/etc/prometheus/syncd-rules.yml:ro"
        in (compose["services"]["prometheus"]["volumes"])
    )
