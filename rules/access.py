"""Who may do what in the console."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is there for."""

    ANALYST = "analyst"
    LEAD = "lead"
    RISK_OFFICER = "risk_officer"
    ADMIN = "admin"


class Right(StrEnum):
    """What a page or an action asks for."""

    LOOK = "look"  # at cases, decisions and how it goes
    REVIEW = "review"  # take cases, decide them, ask for information
    SECOND_LINE = "second_line"  # decide what was escalated
    BULK = "bulk"  # decide many at once
    COMPARE = "compare"  # see how well reviewers agree
    CHANGE_RULES = "change_rules"
    CHANGE_MODEL = "change_model"
    MANAGE_USERS = "manage_users"


_RIGHTS = {
    Role.ANALYST: {Right.LOOK, Right.REVIEW},
    Role.LEAD: {Right.LOOK, Right.REVIEW, Right.SECOND_LINE, Right.BULK, Right.COMPARE},
    Role.RISK_OFFICER: {Right.LOOK, Right.CHANGE_RULES, Right.CHANGE_MODEL},
    Role.ADMIN: {Right.MANAGE_USERS},  # whoever gives rights decides about no payment
}


def may(role: Role, right: Right) -> bool:
    """Whether the role has the right."""
    return right in _RIGHTS[role]
