"""Programs that a test needs and no package index brings; skipping for want of one must not pass unseen in CI."""

import os
import shutil

import pytest


def tool(name: str, *, package: str) -> str:
    """The program's path. Without it the test is skipped, and in CI it fails."""
    if found := shutil.which(name):
        return found
    missing = f"{name} is not installed; apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
