"""What deploy/ offers is valid, holds no secret, and asks for no more rights than it needs.

Tools that judge it are asked where they are installed (tests/README.md); the rest is read here.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import settings
from bot.cli import cli
from bot.env_example import entries
from bot.exit_codes import ExitCode
from bot.run import STOP_SECONDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = DEPLOY / "systemd" / "easel.service"
COMPOSE = ("compose.yaml", "compose.scale.yaml")
OF_EASEL = frozenset({"easel", "gateway", "worker", "migrate"})
MOST_EXPOSED = 2.0
SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|KEYS?)\b")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with their arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in pairs]


def last_stage() -> list[tuple[str, str]]:
    all_of_them = instructions()
    starts = [at for at, (name, _) in enumerate(all_of_them) if name == "FROM"]
    return all_of_them[starts[-1] :]


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def passes(*words: str) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def known_names() -> set[str]:
    names = {entry.name for entry in entries()} | set(settings.declared())
    return names | {f"{name}_FILE" for name in names}


def compose(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return read


def easel_services() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name} {service}", described)
        for name in COMPOSE
        for service, described in compose(name)["services"].items()
        if service in OF_EASEL
    ]


def test_the_image_is_built_from_any_python_and_from_what_is_locked() -> None:
    froms = [text for name, text in instructions() if name == "FROM"]
    assert all(text.startswith("${PYTHON}") for text in froms)
    installs = [text for _, text in instructions() if " install " in text]
    assert any("--require-hashes" in text for text in installs)
    assert not [name for name, _ in instructions() if name == "ADD"]


def test_the_image_runs_without_root_and_can_be_asked_for_its_health() -> None:
    stage = dict(last_stage())
    assert stage["USER"] == "10001:10001"
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert stage["ENTRYPOINT"] == '["easel"]'
    program = re.search(r'"-c", "(.*)"\]$', stage["HEALTHCHECK"])
    assert program
    compile(program[1], "health check", "exec")
    assert "/healthz" in program[1]


def test_the_image_holds_no_secret() -> None:
    for name, text in instructions():
        if name in {"ENV", "ARG"}:
            assert not SECRET.search(text), text


def test_what_the_image_copies_is_sent_to_its_build_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        path
        for name, text in instructions()
        if name == "COPY" and "--from" not in text
        for path in text.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / path).exists() for path in sent)


def test_hadolint_has_no_complaint() -> None:
    passes(tool("hadolint"), str(DEPLOY / "Dockerfile"))


@pytest.mark.parametrize(
    ("name", "service"),
    easel_services(),
    ids=[name for name, _ in easel_services()],
)
def test_a_container_of_compose_has_few_rights(
    name: str, service: dict[str, Any]
) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert int(service["stop_grace_period"].rstrip("s")) > STOP_SECONDS
    command, *_ = service["command"]
    assert command in cli.commands
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    for variable, value in service.get("environment", {}).items():
        is_known = variable in known_names() or variable.startswith("AWS_")
        assert is_known, variable
        if SECRET.search(variable):
            assert value.startswith("${"), variable


@pytest.mark.parametrize("name", COMPOSE)
def test_what_compose_mounts_is_there(name: str) -> None:
    described = compose(name)
    volumes = set(described["volumes"])
    for service in described["services"].values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            is_folder = source.startswith("./")
            assert (DEPLOY / source).exists() if is_folder else True
            assert is_folder or source in volumes


def test_scaling_out_has_one_gateway_and_two_workers() -> None:
    services = compose("compose.scale.yaml")["services"]
    assert services["gateway"]["command"][-1] == "gateway"
    assert services["worker"]["deploy"]["replicas"] == 2
    needs = services["worker"]["depends_on"]
    condition = "service_completed_successfully"
    assert needs["migrate"]["condition"] == condition
    metrics = {
        name
        for name, service in services.items()
        if service.get("profiles") == ["metrics"]
    }
    assert metrics == {"prometheus", "grafana"}


def test_the_unit_is_restarted_unless_a_person_must_mend_a_setting() -> None:
    text = UNIT.read_text()
    code = int(ExitCode.MISCONFIGURED)
    assert f"RestartPreventExitStatus={code}\n" in text
    assert "Restart=on-failure\n" in text
    seconds = re.search(r"TimeoutStopSec=(\d+)", text)
    assert seconds
    assert int(seconds[1]) > STOP_SECONDS
    for secret in re.findall(r"LoadCredential=(\w+):", text):
        assert f"Environment={secret}_FILE=%d/{secret}\n" in text
        assert secret in known_names()


def test_the_unit_is_valid(tmp_path: Path) -> None:
    program = tool("systemd-analyze")
    text = UNIT.read_text().replace("/opt/easel/bin/easel", "/bin/true")
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    assert "easel.service" not in passes(program, "verify", str(copy))


def test_the_unit_exposes_little() -> None:
    program = tool("systemd-analyze")
    words = ("security", "--offline=yes", "--no-pager", str(UNIT))
    judged = re.search(r"exposure level .*: ([\d.]+)", passes(program, *words))
    assert judged
    assert float(judged[1]) <= MOST_EXPOSED


def test_prometheus_can_read_its_configuration_and_the_alerts_work() -> None:
    program = tool("promtool")
    folder = DEPLOY / "prometheus"
    passes(program, "check", "config", str(folder / "prometheus.yaml"))
    passes(program, "test", "rules", str(folder / "alerts.test.yaml"))


def rendered(*changes: str) -> list[dict[str, Any]]:
    """The chart's objects, as Helm makes them."""
    words = ["template", "easel", str(DEPLOY / "helm")]
    for change in changes:
        words += ["--set", change]
    text = passes(tool("helm"), *words)
    return [read for read in yaml.safe_load_all(text) if read]


def pod_of(read: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = read["spec"]["template"]["spec"]
    return described


def test_every_pod_of_the_chart_has_few_rights_and_its_secrets_by_name() -> (
    None
):
    objects = rendered("migrationSecret=owner")
    pods = [read for read in objects if read["kind"] in {"Deployment", "Job"}]
    assert len(pods) == 3
    assert not [read for read in objects if read["kind"] == "Secret"]
    for read in pods:
        pod = pod_of(read)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        (container,) = pod["containers"]
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["args"][0] in cli.commands
        names = [variable["name"] for variable in container["env"]]
        assert set(names) <= known_names()


def test_the_chart_migrates_first_and_then_probes_its_pods() -> None:
    objects = rendered()
    kinds = [read["kind"] for read in objects]
    assert kinds.count("PodDisruptionBudget") == 2
    assert "NetworkPolicy" in kinds
    (job,) = [read for read in objects if read["kind"] == "Job"]
    hook = job["metadata"]["annotations"]["helm.sh/hook"]
    assert hook == "pre-install,pre-upgrade"
    for read in objects:
        if read["kind"] != "Deployment":
            continue
        pod = pod_of(read)
        assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS
        (container,) = pod["containers"]
        paths = {
            probe: container[probe]["httpGet"]["path"]
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }


@pytest.mark.parametrize(
    "changes", [[], ["ingress.enabled=true", "ingress.tlsSecret=tls"]]
)
def test_kubernetes_knows_every_field_of_the_chart(
    changes: list[str], tmp_path: Path
) -> None:
    validate = tool("kubernetes-validate")
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(rendered(*changes)))
    passes(validate, "--strict", str(file))
