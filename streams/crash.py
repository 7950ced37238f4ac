"""Crash-only: where nobody can know what was written, the process ends and is started again from what is committed."""

import os
import sys
from typing import NoReturn

import structlog

log = structlog.get_logger()

EXIT_INDEFINITE = 70  # EX_SOFTWARE: the supervisor restarts it
EXIT_MISCONFIGURED = 78  # EX_CONFIG: somebody has to change something first


def give_up(event: str, error: BaseException, **facts: object) -> NoReturn:
    """Log why and end at once, without tidying up: repairing in place is how records get lost."""
    log.critical(event, error=repr(error), **facts)
    _end(EXIT_INDEFINITE)


def refuse(why: str) -> NoReturn:
    """Say in a sentence why this process cannot work here, and end."""
    log.critical("refused", why=why)
    _end(EXIT_MISCONFIGURED)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
