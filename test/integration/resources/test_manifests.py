"""The manifests: what they grant, what they isolate, and that a real API server takes them."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from arena_api import GROUP, ROOT, Api, kustomize

OVERLAYS = ["manifests/overlays/embedded", "manifests/overlays/cluster"]
ENVIRONMENTS = ["manifests/environments", "manifests/overlays/embedded/environments"]
CONTROLLER = {
    ("rl-arena.io", "agents"): {"get", "list", "watch"},
    ("rl-arena.io", "submissions"): {"get", "list", "watch"},
    ("rl-arena.io", "matches"): {"get", "list", "watch", "create", "delete"},
    ("rl-arena.io", "matchmakingqueues"): {"get", "list", "watch"},
    ("rl-arena.io", "agents/status"): {"patch"},
    ("rl-arena.io", "submissions/status"): {"patch"},
    ("rl-arena.io", "matches/status"): {"patch"},
    ("rl-arena.io", "matchmakingqueues/status"): {"patch"},
    ("rl-arena.io", "submissions/finalizers"): {"update"},
    ("rl-arena.io", "matches/finalizers"): {"update"},
    ("batch", "jobs"): {"get", "list", "watch", "create"},
    ("", "pods"): {"get", "list", "watch", "create", "delete"},
    ("", "pods/log"): {"get"},
    ("", "configmaps"): {"get", "create"},
    ("", "events"): {"create", "patch"},
}
FRONT = {
    ("rl-arena.io", "agents"): {"get", "list", "watch", "create", "patch", "delete"},
    ("rl-arena.io", "submissions"): {"get", "list", "watch", "create", "patch"},
    ("rl-arena.io", "matches"): {"get", "list", "watch", "create", "patch"},
    ("rl-arena.io", "matchmakingqueues"): {"get", "list", "watch"},
    ("", "pods"): {"get", "list", "watch"},
    ("", "pods/log"): {"get"},
}
LEASES = {"rl-arena-controller-lease": "rl-arena-controller", "rl-arena-api-server-lease": "rl-arena-mirror"}
PROGRAMS = ["controller", "executor", "api-server"]

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return kustomize(request.param)


def of(objects: Objects, kind: str, namespace: str | None = None) -> dict[str, dict[str, Any]]:
    return {
        item["metadata"]["name"]: item
        for item in objects
        if item["kind"] == kind and namespace in (None, item["metadata"].get("namespace"))
    }


def test_everything_has_a_namespace_of_ours(objects: Objects) -> None:
    cluster_wide = {"Namespace", "CustomResourceDefinition", "PriorityClass", "PersistentVolume"}
    cluster_wide |= {"ClusterRole", "ClusterRoleBinding"}
    for item in objects:
        namespace = item["metadata"].get("namespace")
        if item["kind"] in cluster_wide:
            assert namespace is None
        else:
            assert namespace in ("rl-arena", "rl-arena-system"), item["metadata"]["name"]


def test_the_front_may_ask_about_tokens_and_nobody_has_more_in_the_whole_cluster(objects: Objects) -> None:
    (role,) = of(objects, "ClusterRole").values()
    asks = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    assert role["rules"] == [asks]
    (binding,) = of(objects, "ClusterRoleBinding").values()
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [(s["kind"], s["name"]) for s in binding["subjects"]] == [("ServiceAccount", "api-server")]


@pytest.mark.parametrize(("role", "expected"), [("rl-arena-controller", CONTROLLER), ("rl-arena-api-server", FRONT)])
def test_each_program_gets_exactly_what_it_needs(
    objects: Objects, role: str, expected: dict[tuple[str, str], set[str]]
) -> None:
    granted: dict[tuple[str, str], set[str]] = {}
    for rule in of(objects, "Role")[role]["rules"]:
        assert set(rule) == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                granted.setdefault((group, resource), set()).update(rule["verbs"])
    assert granted == expected


@pytest.mark.parametrize("role", LEASES)
def test_the_lease_alone_is_writable_in_the_system_namespace(objects: Objects, role: str) -> None:
    rules = of(objects, "Role", "rl-arena-system")[role]["rules"]
    assert [rule["resources"] for rule in rules] == [["leases"], ["leases"]]
    assert rules[0]["verbs"] == ["create"]
    assert rules[1]["resourceNames"] == [LEASES[role]]
    assert set(rules[1]["verbs"]) == {"get", "update"}


def test_no_wildcards_and_no_secrets(objects: Objects) -> None:
    for role in of(objects, "Role").values():
        for rule in role["rules"]:
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words
            assert not {"secrets", "serviceaccounts", "serviceaccounts/token"} & set(words)
            assert not {"bind", "escalate", "impersonate"} & set(words)


def test_controller_and_front_have_rights_and_nobody_else(objects: Objects) -> None:
    bound: dict[str, set[str]] = {}
    for binding in of(objects, "RoleBinding").values():
        ((kind, name),) = [(s["kind"], s["name"]) for s in binding["subjects"]]
        assert kind == "ServiceAccount"
        assert binding["roleRef"]["name"] in of(objects, "Role")
        bound.setdefault(name, set()).add(binding["roleRef"]["name"])
    assert bound == {
        "controller": {"rl-arena-controller", "rl-arena-controller-lease"},
        "api-server": {"rl-arena-api-server", "rl-arena-api-server-lease"},
    }


def test_pod_security_of_the_namespaces(objects: Objects) -> None:
    enforce = "pod-security.kubernetes.io/enforce"
    levels = {name: item["metadata"]["labels"].get(enforce) for name, item in of(objects, "Namespace").items()}
    assert levels == {"rl-arena-system": "restricted", "rl-arena": "baseline"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_pods_are_locked_down_and_bounded(objects: Objects, name: str) -> None:
    pod = of(objects, "Deployment")[name]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is (name != "executor")
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for key in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        assert key not in pod
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert probe in container
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    for volume in pod.get("volumes", []):
        assert set(volume) & {"emptyDir", "persistentVolumeClaim", "projected"}, volume
        if "projected" in volume:  # a token that is good for the front and nothing else
            (source,) = volume["projected"]["sources"]
            assert source["serviceAccountToken"]["audience"] == "rl-arena-front"
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_restricted_profile_admits_the_pods(objects: Objects, api: Api, namespace: str, name: str) -> None:
    """Asked of the API server, in a namespace that enforces it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    made = api.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    assert made.ok or made.status == 409
    template = of(objects, "Deployment")[name]["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        "spec": {k: v for k, v in template["spec"].items() if k != "priorityClassName"},
    }
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod, dryRun="All")
    assert answer.ok, answer.message


def test_own_images_of_the_cluster_overlay_are_pulled_with_credentials() -> None:
    for account in of(kustomize("manifests/overlays/cluster"), "ServiceAccount").values():
        assert account["imagePullSecrets"] == [{"name": "registry"}]


def test_a_second_arena_has_nothing_of_the_first() -> None:
    """Neither applied over it nor taken away with `kubectl delete -k`."""
    objects = kustomize("test/e2e/private")
    namespaces = {"rl-arena-private", "rl-arena-private-system"}
    assert set(of(objects, "Namespace")) == namespaces
    for item in objects:
        if item["kind"] != "Namespace":
            assert item["metadata"].get("namespace") in namespaces, item["metadata"]["name"]
        text = json.dumps(item)
        assert '"kubernetes.io/metadata.name": "rl-arena"' not in text
        assert '"namespace": "rl-arena"' not in text and ".rl-arena-system.svc" not in text
        assert '"kubernetes.io/metadata.name": "rl-arena-system"' not in text


def test_services_find_their_pods(objects: Objects) -> None:
    for name, service in of(objects, "Service").items():
        template = {**of(objects, "Deployment"), **of(objects, "StatefulSet")}[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_everything_is_denied_by_default(objects: Objects) -> None:
    for namespace in ("rl-arena", "rl-arena-system"):
        policy = of(objects, "NetworkPolicy", namespace)["default-deny"]["spec"]
        assert policy == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_agents_hear_the_executor_and_say_nothing(objects: Objects) -> None:
    policy = of(objects, "NetworkPolicy", "rl-arena")["agents"]["spec"]
    assert policy["podSelector"] == {"matchLabels": {"rl-arena.io/component": "agent"}}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy.get("egress", []) == []
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 50051}]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "rl-arena-system"}
    executor = of(objects, "Deployment")["executor"]["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= executor.items()


def test_no_other_policy_opens_a_way_to_agents(objects: Objects) -> None:
    """Policies add up: what any of them allows is allowed."""
    for name, item in of(objects, "NetworkPolicy", "rl-arena").items():
        if name in ("agents", "default-deny"):
            continue
        (expression,) = item["spec"]["podSelector"]["matchExpressions"]
        assert expression == {
            "key": "rl-arena.io/component",
            "operator": "In",
            "values": ["build", "scan"],
        }
        assert item["spec"].get("ingress", []) == []


def test_builds_and_scans_do_not_reach_link_local_addresses(objects: Objects) -> None:
    policy = of(objects, "NetworkPolicy", "rl-arena")["builds-and-scans"]["spec"]
    blocks = [peer["ipBlock"] for rule in policy["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
    assert {block["cidr"]: block["except"][0] for block in blocks} == {
        "0.0.0.0/0": "169.254.0.0/16",
        "::/0": "fe80::/10",
    }


def test_only_the_controller_and_the_front_ask_the_executor(objects: Objects) -> None:
    policy = of(objects, "NetworkPolicy", "rl-arena-system")["executor"]["spec"]
    askers = [rule["from"] for rule in policy["ingress"] if any(port["port"] == 50051 for port in rule["ports"])]
    expected = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": n}}} for n in ("controller", "api-server")]
    assert askers == [expected]


def config_of(objects: Objects, program: str) -> tuple[str, dict[str, Any]]:
    (found,) = [item for item in of(objects, "ConfigMap").items() if item[0].startswith(f"{program}-config")]
    return found


def settings(objects: Objects, program: str = "controller") -> dict[str, str]:
    data: dict[str, str] = config_of(objects, program)[1]["data"]
    return data


def test_the_front_is_given_its_configuration_and_its_secrets(objects: Objects) -> None:
    container = of(objects, "Deployment")["api-server"]["spec"]["template"]["spec"]["containers"][0]
    name = config_of(objects, "api-server")[0]
    secrets = [{"secretRef": {"name": secret}} for secret in ("api-server", "executor")]
    assert container["envFrom"] == [{"configMapRef": {"name": name}}, *secrets]
    data = settings(objects, "api-server")
    assert not {"DATABASE_URL", "JWT_SECRET", "S3_SECRET_ACCESS_KEY", "EXECUTOR_TOKEN"} & set(data)
    known = (ROOT / "api-server" / "settings.c").read_text()
    for variable in data:
        assert f'{{"{variable}",' in known, variable


def test_the_controller_is_given_its_configuration(objects: Objects) -> None:
    name = config_of(objects, "controller")[0]
    container = of(objects, "Deployment")["controller"]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": name}}, {"secretRef": {"name": "executor"}}]
    data = settings(objects)
    for variable in (
        "CONTAINER_REGISTRY_URL", "FETCH_IMAGE", "BUILDER_IMAGE", "SCANNER_IMAGE", "RUNTIME_IMAGE",
        "TRIVY_DB_REPOSITORY", "K8S_NAMESPACE", "EXECUTOR_URL",
    ):  # fmt: skip
        assert data[variable], variable
    secret = [key for key in data if "PASSWORD" in key or "TOKEN" in key or key == "JWT_SECRET"]
    assert not secret


def test_the_configuration_is_what_the_controller_reads(objects: Objects) -> None:
    """A misspelt variable would be ignored in silence."""
    known = (ROOT / "controller" / "settings.c").read_text()
    for variable in settings(objects):
        assert f'{{"{variable}",' in known, variable


def test_the_executor_is_where_the_controller_looks(objects: Objects) -> None:
    service = of(objects, "Service", "rl-arena-system")["executor"]
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    host = "executor.rl-arena-system.svc"
    assert settings(objects)["EXECUTOR_URL"] == f"http://{host}:{ports['grpc']}"
    container = of(objects, "Deployment")["executor"]["spec"]["template"]["spec"]["containers"][0]
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert values["REPLAY_BASE_URL"] == f"http://{host}:{ports['http']}/replays"


def test_the_executor_asks_for_the_token_that_the_others_have(objects: Objects) -> None:
    container = of(objects, "Deployment")["executor"]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "executor"}}]


RESOURCES = {
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "ConfigMap": "/api/v1/{}configmaps",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Deployment": "/apis/apps/v1/{}deployments",
    "MatchmakingQueue": GROUP + "/{}matchmakingqueues",
    "Namespace": "/api/v1/namespaces",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/{}networkpolicies",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "PersistentVolumeClaim": "/api/v1/{}persistentvolumeclaims",
    "PodDisruptionBudget": "/apis/policy/v1/{}poddisruptionbudgets",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "Role": "/apis/rbac.authorization.k8s.io/v1/{}roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/{}rolebindings",
    "Service": "/api/v1/{}services",
    "ServiceAccount": "/api/v1/{}serviceaccounts",
    "StatefulSet": "/apis/apps/v1/{}statefulsets",
}


@pytest.mark.parametrize("folder", OVERLAYS + ENVIRONMENTS)
def test_the_api_server_takes_it_all(api: Api, crds: None, namespace: str, folder: str) -> None:
    for item in kustomize(folder):
        path = RESOURCES[item["kind"]]
        if "{}" in path:
            path = path.format(f"namespaces/{namespace}/")
            item["metadata"]["namespace"] = namespace
        answer = api.request(
            "PATCH", f"{path}/{item['metadata']['name']}", item, "application/apply-patch+yaml",
            dryRun="All", fieldManager="test", force="true", fieldValidation="Strict",
        )  # fmt: skip
        assert answer.ok, f"{item['kind']} {item['metadata']['name']}: {answer.message}"


@pytest.mark.parametrize("folder", ENVIRONMENTS)
def test_the_environments_are_those_of_the_executor(folder: str) -> None:
    path = ROOT / "executor" / "rl_arena" / "executor" / "environments.toml"
    known = tomllib.loads(path.read_text())
    offered = of(kustomize(folder), "MatchmakingQueue", "rl-arena")
    assert set(offered) == set(known)
    for name, queue in offered.items():
        environment = queue["spec"]["environment"]
        assert environment["name"] == name
        assert environment["displayName"] == known[name]["display_name"]
        assert environment["description"] == known[name]["description"]
