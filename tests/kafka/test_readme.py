"""The README's own programs, run as they stand there by somebody who knows nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.outside import PATIENCE_SECONDS, Outside, outside_of
from support.processes import environment_of, running_worker

pytestmark = pytest.mark.kafka

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
SEND, READ = re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S)


@pytest.fixture
def installation(bootstrap: str) -> Iterator[Outside]:
    """With the plain names that the README has; no other test has topics without a prefix on this broker."""
    with (
        outside_of(bootstrap, "") as outside,
        running_worker(bootstrap, outside.prefix, **outside.variables()),
    ):
        yield outside


def test_what_the_readme_sends_comes_back_where_it_reads(installation: Outside) -> None:
    environment = environment_of(installation.bootstrap, installation.prefix, **installation.variables())
    subprocess.run([sys.executable, "-c", SEND], env=environment, check=True, timeout=PATIENCE_SECONDS)

    with subprocess.Popen([sys.executable, "-u", "-c", READ], env=environment, stdout=subprocess.PIPE) as reading:
        try:
            assert reading.stdout is not None
            said = reading.stdout.readline().decode()
        finally:
            reading.kill()

    assert said in README
    assert said.startswith("review ord-22107 ")
    assert installation.audit().holds
