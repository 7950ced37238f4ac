"""What is deployed: the compose file, the image's recipe and the ACLs, held against the code that they run."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.tools import tool

from streams.broker.topics import CATALOGUE, Topic
from streams.operating.cli import COMMANDS
from streams.operating.installation import PORTS
from streams.settings import load_settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
RUNNING = ("worker-1", "worker-2", "learner", "reconciler", "watcher", "console", "auditor")
OURS = ("topics", *RUNNING, "simulator")
SERVICES = (*OURS, "kafka", "prometheus", "grafana")


@pytest.fixture(scope="module")
def composed() -> str:
    """The compose file as docker-compose understood it: anchors resolved, one form for everything."""
    compose = tool("docker-compose", package="docker-compose")
    read = subprocess.run(
        [compose, "--file", COMPOSE, "--profile", "console", "config"], capture_output=True, text=True, timeout=60
    )
    assert read.returncode == 0, read.stderr
    return read.stdout


@pytest.fixture(scope="module")
def services(composed: str) -> dict[str, str]:
    """Each service's part."""
    section = re.search(r"^services:\n((?: .*\n)+)", composed, re.M)
    assert section
    _, *parts = re.split(r"^  (\S+):\n", section[1], flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def environment_of(service: str) -> dict[str, str]:
    return dict(re.findall(r"^      ([A-Z_]+): ['\"]?(.*?)['\"]?$", service, re.M))


def items_of(service: str, key: str) -> list[str]:
    """The entries of one list of a service."""
    listed = re.search(rf"^    {key}:\n((?:    - .*\n)+)", service, re.M)
    return re.findall(r"^    - '?(.*?)'?$", listed[1], re.M) if listed else []


def test_compose_brings_kafka_workers_learner_simulator_and_monitoring(services: dict[str, str]) -> None:
    assert set(services) == set(SERVICES)


def test_only_the_console_is_asked_for_by_name_and_keeps_its_store(services: dict[str, str]) -> None:
    assert [name for name, service in services.items() if "\n    profiles:\n" in service] == ["console"]
    assert items_of(services["console"], "volumes") == ["reviews:/var/lib/holdfast:rw"]
    assert environment_of(services["console"])["HOLDFAST_CONSOLE_STORE_URL"].startswith("sqlite:////var/lib/holdfast/")


def test_everything_published_is_for_this_machine_only(composed: str, services: dict[str, str]) -> None:
    published = [port for service in services.values() for port in items_of(service, "ports")]
    assert sorted(published) == [f"127.0.0.1:{port}:{port}/tcp" for port in (3000, 8480, 9090, 9092)]
    assert composed.count(" ports:") == len(published)
    assert "network_mode" not in composed


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_gain_privileges(services: dict[str, str], name: str) -> None:
    assert items_of(services[name], "cap_drop") == ["ALL"]
    assert items_of(services[name], "security_opt") == ["no-new-privileges:true"]
    assert "privileged" not in services[name].replace("no-new-privileges", "")


@pytest.mark.parametrize("name", [*OURS, "prometheus", "grafana"])
def test_services_cannot_write_to_their_image(services: dict[str, str], name: str) -> None:
    assert "\n    read_only: true\n" in services[name]
    assert any(mount.startswith("/tmp:") for mount in items_of(services[name], "tmpfs"))


@pytest.mark.parametrize("name", sorted({*SERVICES} - {"topics"}))
def test_whatever_ends_is_started_again(services: dict[str, str], name: str) -> None:
    assert "\n    restart: unless-stopped\n" in services[name]


def test_nobody_starts_before_the_topics_are_there(services: dict[str, str]) -> None:
    for name in RUNNING:
        assert "      topics:\n        condition: service_completed_successfully\n" in services[name]
    assert "      kafka:\n        condition: service_healthy\n" in services["topics"]


def test_workers_have_names_of_their_own(services: dict[str, str]) -> None:
    names = [environment_of(services[name])["HOLDFAST_INSTANCE"] for name in ("worker-1", "worker-2")]
    assert names == ["worker-1", "worker-2"]


@pytest.mark.parametrize("name", OURS)
def test_the_environment_is_one_that_settings_know(services: dict[str, str], name: str) -> None:
    environment = environment_of(services[name])
    document = (ROOT / "docs/settings.md").read_text("utf-8")
    assert {variable for variable in environment if f"`{variable}`" not in document} == set()
    assert load_settings(ROOT / "deploy/holdfast.example.toml", environment).broker.bootstrap_servers == "kafka:19092"


def test_prometheus_and_health_checks_ask_where_metrics_listen(services: dict[str, str]) -> None:
    asked = (ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8")
    for name in RUNNING:
        metrics = load_settings(ROOT / "deploy/holdfast.example.toml", environment_of(services[name])).metrics
        port = getattr(metrics, (PORTS | {"console": "console_port"}).get(name, "worker_port"))
        assert metrics.host == "0.0.0.0"
        assert f'"{name}:{port}"' in asked
        assert f"http://127.0.0.1:{port}/metrics" in services[name]


@pytest.mark.parametrize("name", OURS)
def test_each_process_runs_a_command_that_there_is(services: dict[str, str], name: str) -> None:
    assert items_of(services[name], "command")[0] in COMMANDS


def test_the_broker_is_of_the_version_that_the_tests_run_on(services: dict[str, str]) -> None:
    lock = (ROOT / "streams/broker/kafka-jars.lock").read_text("utf-8")
    image = re.search(r"image: apache/kafka:(\S+)", services["kafka"])
    assert image
    assert re.search(rf"kafka_2\.13[:/-]{re.escape(image[1])}", lock)


def test_the_image_ends_as_an_ordinary_user_with_the_environment_alone() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^COPY (.*)$", final, re.M) == [
        "--from=build /opt/holdfast /opt/holdfast",
        "--from=build --chown=65532:65532 /store /var/lib/holdfast",
    ]
    assert re.findall(r"^USER (.*)$", final, re.M) == ["65532:65532"]
    assert 'ENTRYPOINT ["holdfast"]' in final
    assert "STOPSIGNAL SIGTERM" in final
    assert not re.search(r"^RUN ", final, re.M)


def test_the_image_says_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"\nARG VERSION={version}\n" in DOCKERFILE


def test_the_image_locks_its_build_backend() -> None:
    names = re.search(r"'/\^\(([a-z|-]+)\)==", DOCKERFILE)
    assert names
    locked = re.findall(r"^([a-z-]+)==", (ROOT / "requirements-dev.txt").read_text("utf-8"), re.M)
    assert set(names[1].split("|")) <= set(locked)


def granted(**environment: str) -> list[str]:
    """The commands that the ACL script would run."""
    run = subprocess.run(
        [ROOT / "deploy/kafka/acls.sh"], env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_acls_name_the_topics_of_the_catalogue_and_no_other() -> None:
    catalogue = {f"eu.{spec.topic}" for spec in CATALOGUE}
    admins, *others = [set(re.findall(r"--topic (\S+)", line)) for line in granted(HOLDFAST_TOPICS_PREFIX="eu.")]
    assert admins == catalogue
    assert set().union(*others) == catalogue


def test_acls_follow_app_and_prefix() -> None:
    commands = " ".join(granted(HOLDFAST_APP="pay", HOLDFAST_TOPICS_PREFIX="eu.", HOLDFAST_TOPICS_PARTITIONS="2"))
    assert re.findall(r"--transactional-id (\S+)", commands) == [
        "pay-eu.0",
        "pay-eu.1",
        "pay-eu.lanes-",
        "pay-eu.learner",
        "pay-eu.reconciler",
        "pay-eu.console",
        "pay-eu.dlt-replay",
    ]
    groups = [*["pay-eu.lanes"] * 2, "pay-eu.forward-", *["pay-eu.lanes"] * 2, "pay-eu.consumer-"]
    assert re.findall(r"--group (\S+)", commands) == groups


def test_auditing_and_showing_is_looking_at_the_lanes_and_not_joining_them() -> None:
    watching = [line for line in granted() if "--group holdfast-lanes" in line and "--operation Read" not in line]
    assert [re.findall(r"User:(\S+) --operation (\S+)", line) for line in watching] == [
        [("holdfast-console", "Describe")],
        [("holdfast-auditor", "Describe")],
        [("holdfast-operator", "Describe")],
    ]


def test_only_workers_write_decisions() -> None:
    writers = [line for line in granted() if "--operation Write" in line and f"--topic {Topic.APPROVE} " in line]
    assert [re.findall(r"User:(\S+)", line) for line in writers] == [["holdfast-worker"]]


def test_only_the_reconciler_and_the_console_write_revisions() -> None:
    writers = [line for line in granted() if "--operation Write" in line and f"--topic {Topic.REVISED} " in line]
    assert [re.findall(r"User:(\S+)", line) for line in writers] == [["holdfast-reconciler"], ["holdfast-console"]]
