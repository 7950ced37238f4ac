"""Test tokens: in a sandbox a card token forces its path, as test card numbers do with card processors."""

from rules.decision import DecisionSource, FallbackReason, Outcome, ReasonCode
from rules.judgement import Conclusion

TEST_TOKEN_PREFIX = "tok_test_"  # noqa: S105 - a name that everybody may know

FORCED_OUTCOMES: dict[str, Outcome] = {f"{TEST_TOKEN_PREFIX}{outcome}": outcome for outcome in Outcome}

FORCED_FALLBACKS: dict[str, FallbackReason] = {
    f"{TEST_TOKEN_PREFIX}slow": FallbackReason.RESPONSE_TIMEOUT,
    f"{TEST_TOKEN_PREFIX}scorer_down": FallbackReason.CONNECTION_ERROR,
    f"{TEST_TOKEN_PREFIX}invalid_output": FallbackReason.MODEL_INVALID_OUTPUT,
    f"{TEST_TOKEN_PREFIX}cold_start": FallbackReason.MODEL_COLD_START,
    f"{TEST_TOKEN_PREFIX}too_old": FallbackReason.TRANSACTION_TOO_OLD,
}


def forced_conclusion(pan_token: str) -> Conclusion | None:
    """The conclusion that a test token asks for, or None where it asks for none."""
    outcome = FORCED_OUTCOMES.get(pan_token)
    if outcome is None:
        return None
    return Conclusion(outcome=outcome, source=DecisionSource.RULES, reasons=(ReasonCode.SANDBOX,))
