"""What an audit finds where everything is as it must be."""

from streams.auditing.accounting import LedgerReport

CLEAN = LedgerReport(
    transactions=40,
    decided=40,
    dead_letters=0,
    duplicates=0,
    in_flight=0,
    unaccounted=0,
    unaccounted_samples=(),
    decided_twice=0,
    decided_twice_samples=(),
    contradictory=0,
    contradictory_samples=(),
)
