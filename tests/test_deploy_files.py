"""What docs/deploy gives operators: it parses, its settings exist, and it asks for metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from assay.api.meters import COUNTED, ServerState
from assay.batching import Batcher
from assay.cli.main import COMMANDS
from assay.cli.scan import command as scan
from assay.ledger import Ledger
from assay.settings import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "docs" / "deploy"
_METRIC = re.compile(r"\bassay_[a-z_]+\b")
_NO_METRICS = {"assay_ready_check"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every sample's name that a server exports, counted or read at a scrape."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    ledger = Ledger(settings.ledger)
    with Batcher[Any, Any](lambda: None) as desk:  # type: ignore[arg-type, return-value]
        state = ServerState(settings, ledger, {"texts": desk})
        registry = CollectorRegistry()
        registry.register(state)
        text = (generate_latest(COUNTED) + generate_latest(registry)).decode()
    ledger.close()
    names: set[str] = set()
    for family in text_string_to_metric_families(text):
        plain = family.name
        names |= {plain, *(sample.name for sample in family.samples)}
        names |= {
            "counter": {f"{plain}_total"},
            "histogram": {f"{plain}_{end}" for end in ("bucket", "sum", "count")},
        }.get(family.type, set())
    return names


def _asked(text: str) -> set[str]:
    return set(_METRIC.findall(text)) - _NO_METRICS


def test_the_dashboard_asks_for_metrics_that_there_are(exported: set[str]) -> None:
    """Every expression of the dashboard names exported metrics, and every panel has one."""
    board = json.loads((DEPLOY / "dashboard.json").read_text("utf-8"))
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            asked = _asked(target["expr"])
            assert asked, target["expr"]
            assert asked <= exported, asked - exported


def test_the_alerts_ask_for_metrics_that_there_are(exported: set[str]) -> None:
    """Every alert names exported metrics, and says what is wrong."""
    (group,) = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]:
        assert _asked(rule["expr"]), rule["alert"]
        assert _asked(rule["expr"]) <= exported, _asked(rule["expr"]) - exported
        assert rule["annotations"]["summary"]


def test_the_documents_name_metrics_that_there_are(exported: set[str]) -> None:
    """What docs/operations.md calls a metric is one."""
    text = (DEPLOY.parent / "operations.md").read_text("utf-8")
    assert _asked(text) <= exported, _asked(text) - exported
    counted = {
        name
        for name in exported
        if name.startswith("assay_") and not name.endswith(("_created", "_bucket", "_sum", "_count"))
    }
    families = {re.sub("_total$", "", name) for name in counted}
    assert families <= {re.sub("_total$", "", name) for name in _asked(text)}, "each is explained"


def test_the_composition_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Server, worker and database are there; their commands and settings exist, and no password stands in the file."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    services = yaml.safe_load(text)["services"]
    assert {"db", "server", "worker"} <= services.keys()
    for name in ("server", "worker"):
        service = services[name]
        assert service["command"][0] in COMMANDS
        assert (DEPLOY.parent.parent / service["build"]["dockerfile"]).is_file()
        with monkeypatch.context() as environment:
            for key, value in service["environment"].items():
                environment.setenv(key, re.sub(r"\$\{(\w+):[-?]([^}]*)\}", r"\2", value))
            settings = Settings()
        assert settings.ledger.startswith("postgresql+psycopg://")
    assert "healthcheck" in services["server"]
    assert not re.search(r"PASSWORD: *\"?[A-Za-z0-9]", text)


def test_every_mounted_file_is_there() -> None:
    """What the composition mounts from its folder is in its folder, and is YAML or JSON."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    mounted = [v.split(":")[0] for one in services.values() for v in one.get("volumes", ()) if v.startswith("./")]
    assert mounted
    for name in mounted:
        yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def test_the_image_runs_as_nobody() -> None:
    """The image installs an extra that exists, and leaves root before it starts."""
    import tomllib

    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    project = tomllib.loads((DEPLOY.parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    (extras,) = re.findall(r"whl\)\[([a-z,]+)\]", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    assert text.index("USER assay") < text.index("ENTRYPOINT")


_RAY_JOB = {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec"}
_RAY_GROUP = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def test_the_ray_job_asks_for_what_kuberay_has() -> None:
    """Its fields are KubeRay's, its pods mount volumes that they declare, and its entry point is a scan that parses."""
    job = yaml.safe_load((DEPLOY / "kuberay.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job["spec"]) == _RAY_JOB
    cluster = job["spec"]["rayClusterSpec"]
    assert set(cluster) == {"rayVersion", "headGroupSpec", "workerGroupSpecs"}
    assert set(cluster["headGroupSpec"]) == {"rayStartParams", "template"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert all(set(group) == _RAY_GROUP for group in groups[1:])
    images = set()
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())  # a map of texts, in the CRD
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        images.add(container["image"])
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert container["resources"]["limits"] == container["resources"]["requests"]
        named = {one["name"]: one["value"] for one in container["env"]}
        assert all(isinstance(value, str) for value in named.values())
    assert len(images) == 1  # the submitter takes the head's, and Ray wants one version everywhere
    words = job["spec"]["entrypoint"].split()
    assert words[:2] == ["assay", "scan"]
    options = {name for parameter in scan.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
