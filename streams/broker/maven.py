"""Maven artefacts without Maven: the few calls we make to jgo, kept away from ~/.m2.

Artefacts come from Maven Central, or from the repositories that jgo's own configuration file names; one that is
called `central` there takes Maven Central's place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

ATTEMPTS = 3  # a dropped connection among forty-six is no reason to give up
TIMEOUT_SECONDS = 20


def fetch(coordinates: str, directory: Path) -> Path:
    """Download one jar (`group:artifact:version`) below `directory`; raises whatever jgo and requests raise."""
    group, artifact, version = coordinates.split(":")
    jar = _context(directory).project(group, artifact).at_version(version).artifact()
    for _ in range(ATTEMPTS - 1):
        try:
            return Path(jar.resolve())
        except OSError:  # as all of requests' exceptions are
            jar.cached_path.unlink(missing_ok=True)
    return Path(jar.resolve())


def resolve(roots: Sequence[str], directory: Path) -> list[str]:
    """List the coordinates of `roots` and of everything they need at run time; POMs are kept below `directory`."""
    context = _context(directory)
    given, needed = context.resolver.resolve([context.create_dependency(f"{root}:compile") for root in roots])
    wanted = [*given, *(dependency for dependency in needed if dependency.scope in ("compile", "runtime"))]
    return [f"{each.groupId}:{each.artifactId}:{each.version}" for each in wanted]


def _context(directory: Path) -> Any:
    from jgo.config import GlobalSettings  # 0.2 s to import, and only a first start needs it
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    repositories = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=directory, remote_repos=repositories, timeout=TIMEOUT_SECONDS)
