"""Crash-only: where nobody can know what was written, the process ends and is started again from what is committed."""

import os
import sys
from typing import NoReturn

import structlog

log = structlog.get_logger()

EXIT_INDEFINITE = 70  # EX_SOFTWARE: the supervisor restarts it


def give_up(event: str, error: BaseException, **facts: object) -> NoReturn:
    """Log why and end at once, without tidying up: repairing in place is how records get lost."""
    log.critical(event, error=repr(error), **facts)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_INDEFINITE)
