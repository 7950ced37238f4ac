"""Families of models: how one is built."""

from enum import StrEnum


class Family(StrEnum):
    """What tells the probability of fraud."""

    LOGISTIC = "logistic"  # logistic regression on hinges
    FOREST = "forest"  # trees alone
    BLEND = "blend"  # logistic regression, and trees that fill its gaps
