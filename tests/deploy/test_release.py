"""The release workflow, as far as it can be checked without the service that runs it."""

import re

import yaml

from deploy.docker import dockerfile
from deploy.docker.run_steps import DOCKERFILE
from tests.deploy.tools import ROOT

FILE = ROOT / ".github/workflows/release.yaml"
WORKFLOW = yaml.safe_load(FILE.read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_actions_are_named_by_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in used), used


def test_nothing_may_be_written_but_where_a_job_says_so() -> None:
    assert WORKFLOW["permissions"] == {}
    for job in WORKFLOW["jobs"].values():
        assert job["permissions"]["contents"] == "read"


def test_what_is_released_has_provenance_and_images_are_built_from_a_digest() -> None:
    attested = [step["with"] for step in STEPS if "attest-build-provenance" in step.get("uses", "")]
    assert {key for each in attested for key in each} >= {"subject-path", "subject-digest"}
    (built,) = [step["with"] for step in STEPS if "build-push-action" in step.get("uses", "")]
    assert (built["provenance"], built["sbom"]) == ("mode=max", True)
    assert "docker-image://" in built["build-contexts"]
    bases = {stage.base for stage in dockerfile.read(DOCKERFILE.read_text())}
    assert WORKFLOW["env"]["BASE"] in bases


def test_what_the_steps_run_exists() -> None:
    commands = " ".join(step["run"] for step in STEPS if "run" in step)
    for name in (".ci/run", "deploy/locks/serve.txt", "deploy/docker/sbom.py", "deploy/locks/check.py"):
        module = name.removesuffix(".py").replace("/", ".")
        assert name in commands or module in commands
        assert (ROOT / name).exists()
