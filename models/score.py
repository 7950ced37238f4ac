"""The score: what the model says of one transaction."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one feature added to the log-odds of fraud, against a typical transaction; positive means more risk."""

    feature: str
    log_odds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A calibrated fraud probability in [0, 1], who gave it, and its largest contributions, largest first."""

    fraud_probability: float
    model_version: str
    contributions: tuple[Contribution, ...] = ()
