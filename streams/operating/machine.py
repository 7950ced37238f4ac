"""What a figure was taken on."""

import os
import platform
from pathlib import Path


def cores_and_processor() -> str:
    """Such as "2 cores, AMD EPYC"."""
    return f"{os.cpu_count()} cores, {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
