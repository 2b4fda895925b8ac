"""The chart: helm takes it, Kubernetes takes what it makes, and what is wrong it refuses."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from syncd import __version__
from syncd.core.exits import ExitCode
from syncd.service.admin.server import ENDING
from syncd.service.daemon import LEAVING
from tests.campaign import long
from tests.deploy.helm import Helm, Resources
from tests.deploy.paperwork import CHART, ROOT, SECRETS, SETTINGS, files, instructions

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
RULES = (ROOT / "deploy" / "prometheus" / "syncd-rules.yml").read_text(encoding="utf-8")
CLIENT = "66666666-7777-4888-9999-aaaaaaaaaaaa"
SQLITE = '[state]\nurl = "sqlite:////var/lib/syncd/syncd.db"\n'
SLACK = 10.0
"""Seconds for everything else that a daemon does when it ends."""

EVERYTHING = {
    "lease": "30s",
    "people": {"claim": "syncd-hr"},
    "image": {"repository": "registry.example/syncd", "tag": "1.2", "pullSecrets": [{"name": "r"}]},
    "serviceAccount": {"annotations": {"example.com/why": "audit"}},
    "workloadIdentity": {"clientId": CLIENT, "tenantId": CLIENT},
    "podAnnotations": {"example.com/a": "b"},
    "podLabels": {"team": "crm", "app.kubernetes.io/name": "other"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "crm", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "low",
    "networkPolicy": {"ports": [443, 5432, 636], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "repository": "https://git.example/syncd/"},
    "dashboards": {"enabled": True},
    "extra": {
        "env": [{"name": "SYNCD_LOG__LEVEL", "value": "debug"}],
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    },
}
SETS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "cron job": {"mode": "cronjob", "workloadIdentity": {"clientId": CLIENT}},
    "sqlite": {"settings": SQLITE, "replicas": 1, "state": {"claim": "syncd"}, "secret": ""},
    "nothing more than needed": {
        "serviceAccount": {"create": False},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}  # fmt: skip
OPERATORS = {"ServiceMonitor", "PrometheusRule"}
"""Kinds of the Prometheus operator, whose schemas no package has."""


@pytest.fixture(scope="module")
def default(helm: Helm) -> Resources:
    """Return what the chart makes when it is told no more than the settings and the people."""
    return helm.rendered({"people": {"claim": "syncd-hr"}})


def pod(made: Resources) -> Any:
    """Return the pod of the deployment."""
    return made["Deployment", "syncd"]["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    "name", ["defaults", "everything", "cron job", "sqlite", "nothing more than needed"]
)
def test_helm_and_kubernetes_take_what_the_chart_makes(helm: Helm, name: str) -> None:
    """The linter has no remark, and the schema of the server judges each object, strictly."""
    assert helm.remarks(SETS[name]) == ""

    made = helm.rendered(SETS[name])

    judged = [each for (kind, _), each in made.items() if kind not in OPERATORS]
    assert len(judged) >= 3
    assert all(kubernetes_validate.validate(each, "1.35", strict=True) for each in judged)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"replicas": "two"}, "at '/replicas': got string, want integer"),
        ({"mode": "deamon"}, "at '/mode': value must be one of 'daemon', 'cronjob'"),
        long({"lease": "soon"}, "at '/lease': 'soon' does not match pattern"),
        long({"image": {"tag": "a:b"}}, "at '/image/tag': 'a:b' does not match pattern"),
        long({"people": {"claim": "HR"}}, "at '/people/claim': 'HR' does not match pattern"),
        long(
            {"networkPolicy": {"ports": []}}, "at '/networkPolicy/ports': minItems: got 0, want 1"
        ),
        long({"podLabels": {"a": True}}, "at '/podLabels/a': got boolean, want string"),
        long({"workloadIdentity": {"clientId": "me"}}, "at '/workloadIdentity/clientId'"),
        long({"cronjob": {"schedule": "daily"}}, "at '/cronjob/schedule'"),
        ({"settings": ""}, "settings is empty; give the text of syncd.toml: --set-file"),
        (
            {"settings": SQLITE},
            "replicas is 2, but only one daemon can use a SQLite state; set replicas=1",
        ),
        long(
            {"state": {"claim": "syncd"}},
            "replicas is 2, but only one daemon can use a SQLite state; set replicas=1",
        ),
        (
            {"settings": SQLITE, "replicas": 1},
            "a SQLite state, which would be lost with its pod; set state.claim",
        ),
        (
            {"mode": "cronjob", "serviceMonitor": {"enabled": True}},
            "serviceMonitor.enabled needs mode=daemon",
        ),
        long(
            {"mode": "cronjob", "prometheusRule": {"enabled": True}},
            "prometheusRule.enabled needs mode=daemon",
        ),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(
    helm: Helm, values: dict[str, Any], sentence: str
) -> None:
    """It says which value, and what it may be; nothing is made."""
    said = helm.refusal(values)

    assert sentence in said
    assert "nil pointer" not in said


def test_a_commented_sqlite_state_is_none(helm: Helm) -> None:
    """Only what counts in the settings counts."""
    assert helm.rendered({"settings": SQLITE.replace("url", "# url")})["Deployment", "syncd"]


def test_the_settings_reach_the_container_as_they_are(default: Resources) -> None:
    """The text of deploy/syncd.toml, to the letter; a change of it changes the pods."""
    text = SETTINGS.read_text(encoding="utf-8")
    template = default["Deployment", "syncd"]["spec"]["template"]

    assert default["ConfigMap", "syncd"]["data"] == {"syncd.toml": text}
    assert len(template["metadata"]["annotations"]["checksum/settings"]) == 64


def test_every_selector_means_the_pods_of_its_release_only(helm: Helm) -> None:
    """Service, policy, budget, spread and monitor; a label of one's own changes none of them."""
    made = helm.rendered(EVERYTHING, release="north")
    deployment = made["Deployment", "north"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    [spread] = deployment["template"]["spec"]["topologySpreadConstraints"]
    chosen = [
        deployment["selector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
        made["PodDisruptionBudget", "north"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy", "north"]["spec"]["podSelector"]["matchLabels"],
        made["Service", "north"]["spec"]["selector"],
        made["ServiceMonitor", "north"]["spec"]["selector"]["matchLabels"],
    ]

    own = {"app.kubernetes.io/name": "syncd", "app.kubernetes.io/instance": "north"}
    assert chosen == [own] * 6
    assert own.items() <= labels.items()
    assert labels["team"] == "crm"


@pytest.mark.parametrize("name", ["defaults", "everything", "cron job", "sqlite"])
def test_the_pod_may_nothing(helm: Helm, name: str) -> None:
    """What the standard called "restricted" asks for, and a file system that cannot be changed."""
    made = helm.rendered(SETS[name])
    job = made.get(("CronJob", "syncd"))
    outer = pod(made) if job is None else job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = outer["containers"]
    inside, outside = container["securityContext"], outer["securityContext"]
    [user] = {rest for word, rest in instructions() if word == "USER"}

    assert inside["readOnlyRootFilesystem"]
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert outside["runAsNonRoot"]
    assert outside["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"{outside['runAsUser']}:{outside['runAsGroup']}" == user
    assert outer["automountServiceAccountToken"] is False
    assert outer["enableServiceLinks"] is False  # a service called syncd would set SYNCD_PORT


def test_all_files_that_the_settings_name_are_mounted(default: Resources) -> None:
    """In a folder that a volume provides, secrets from a Secret and never from a variable."""
    [container] = pod(default)["containers"]
    volumes = {each["name"]: each for each in pod(default)["volumes"]}
    mounts = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}

    assert {file.rpartition("/")[0] for file in files()} <= set(mounts)
    assert mounts[SECRETS]["secret"]["secretName"] == "syncd"
    assert mounts["/etc/syncd"]["configMap"]["name"] == "syncd"
    assert [each["name"] for each in container["env"]] == ["SYNCD_ADMIN__LISTEN"]
    assert "envFrom" not in container
    assert not [kind for kind, _ in default if kind == "Secret"]


def test_one_port_everywhere(default: Resources) -> None:
    """The image, the setting, the probes, the service, the policy and the annotation agree."""
    [port] = [int(rest) for word, rest in instructions() if word == "EXPOSE"]
    [container] = pod(default)["containers"]
    [listen] = [each["value"] for each in container["env"]]
    annotations = default["Deployment", "syncd"]["spec"]["template"]["metadata"]["annotations"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]

    assert listen == f"0.0.0.0:{port}"
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert {probe["port"] for probe in probes} == {"http"}
    assert [probe["path"] for probe in probes] == ["/healthz", "/healthz", "/readyz"]
    assert default["Service", "syncd"]["spec"]["ports"][0]["port"] == port
    assert default["NetworkPolicy", "syncd"]["spec"]["ingress"][0]["ports"][0]["port"] == port
    assert annotations["prometheus.io/port"] == str(port)


def test_a_daemon_has_the_time_it_takes_to_leave(default: Resources) -> None:
    """Whoever kills it earlier leaves the next run to settle what was in flight."""
    assert pod(default)["terminationGracePeriodSeconds"] >= LEAVING + ENDING + SLACK


def test_the_version_is_the_programs(default: Resources) -> None:
    """Chart, application and image are of one release."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    [container] = pod(default)["containers"]

    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert container["image"] == f"syncd:{__version__}"


def test_a_sqlite_state_has_one_daemon_at_a_time(helm: Helm) -> None:
    """Its claim is where the program writes, and an old pod is gone before a new one starts."""
    made = helm.rendered(SETS["sqlite"])
    [work] = [each for each in pod(made)["volumes"] if each["name"] == "work"]

    assert made["Deployment", "syncd"]["spec"]["strategy"] == {"type": "Recreate"}
    assert work["persistentVolumeClaim"] == {"claimName": "syncd"}
    assert not [each for each in pod(made)["volumes"] if "secret" in each]


def test_a_pod_signs_in_as_its_workload(helm: Helm) -> None:
    """The account names the application, the pods ask for the token, no other account is used."""
    made = helm.rendered(EVERYTHING)
    account = made["ServiceAccount", "syncd"]["metadata"]["annotations"]
    template = made["Deployment", "syncd"]["spec"]["template"]

    assert account == {
        "azure.workload.identity/client-id": CLIENT,
        "azure.workload.identity/tenant-id": CLIENT,
        "example.com/why": "audit",
    }
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert template["spec"]["serviceAccountName"] == "syncd"


def test_one_run_after_the_other(helm: Helm) -> None:
    """A cron job instead of the daemon, with nothing that only a daemon needs."""
    made = helm.rendered(SETS["cron job"])
    spec = made["CronJob", "syncd"]["spec"]
    inner = spec["jobTemplate"]["spec"]["template"]["spec"]

    assert spec["concurrencyPolicy"] == "Forbid"
    assert inner["restartPolicy"] == "Never"
    assert inner["containers"][0]["args"] == ["reconcile"]
    assert {kind for kind, _ in made} == {"ConfigMap", "CronJob", "NetworkPolicy", "ServiceAccount"}
    assert made["NetworkPolicy", "syncd"]["spec"]["ingress"] == []


def test_a_cron_job_tries_again_what_another_try_may_mend(helm: Helm) -> None:
    """What waits for time or for a person fails at once; an environment out of reach does not."""
    job = helm.rendered(SETS["cron job"])["CronJob", "syncd"]["spec"]["jobTemplate"]["spec"]
    [final] = [
        set(rule["onExitCodes"]["values"])
        for rule in job["podFailurePolicy"]["rules"]
        if rule["action"] == "FailJob"
    ]

    assert final < set(ExitCode)
    assert set(ExitCode) - final == {ExitCode.DONE, ExitCode.TARGET, ExitCode.INTERNAL}
    assert job["backoffLimit"] > 0


def test_prometheus_gets_the_rules_that_are_tested(helm: Helm) -> None:
    """The operator's object holds the same groups; runbooks lead to the repository."""
    made = helm.rendered(EVERYTHING)
    page = "https://git.example/syncd/deploy/README.md"
    monitor = made["ServiceMonitor", "syncd"]

    expected = yaml.safe_load(RULES.replace("deploy/README.md#", f"{page}#"))
    assert made["PrometheusRule", "syncd"]["spec"] == expected
    assert monitor["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "syncd"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    plain = helm.rendered({"prometheusRule": {"enabled": True}})
    assert plain["PrometheusRule", "syncd"]["spec"] == yaml.safe_load(RULES)


def test_grafana_gets_the_dashboards_that_are_generated(helm: Helm) -> None:
    """Each in a config map that the sidecar finds, to the letter."""
    made = helm.rendered(EVERYTHING)
    folder = ROOT / "deploy" / "grafana"
    found = {
        name: text
        for each in made.values()
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in each["data"].items()
    }

    assert found == {
        f"syncd-{file.name}": file.read_text(encoding="utf-8") for file in folder.glob("*.json")
    }


def test_every_value_is_explained() -> None:
    """The chart's page has each value with its default, in the order of the file."""
    page = (CHART / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-zA-Z.]+)` \| (.*?) \| \S", page, re.MULTILINE)

    assert rows == [(name, shown(value)) for name, value in leaves(yaml.safe_load(VALUES))]


def leaves(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Return each value with its dotted name; those of `labels` and of resources are one."""
    found = []
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in {"requests", "limits", "labels"}:
            found += leaves(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found


def shown(value: object) -> str:
    """Return a default as the page shows it."""
    match value:
        case "" | [] | {}:
            return ""
        case {**words}:
            return ", ".join(f"`{key}: {each}`" for key, each in words.items())
        case list():
            return ", ".join(f"`{each}`" for each in value)
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"
