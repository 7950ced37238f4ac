"""The report on decisions made without the model: its sums are those of the records, counted apart."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.records import consumed
from support.wire_samples import a_decision, a_revision

from models.score import Score
from rules.decision import Decision, FallbackReason, Outcome
from rules.judgement import Judge
from rules.policy import CostPolicy
from rules.revision import Reviser, Revision, RevisionKind
from rules.safe_default import SafeDefaultPolicy
from rules.stand_in import StandInLimits
from streams.reconciling.glance import glance
from streams.reconciling.report import Finding, Kind, Reconciliation, Sum
from streams.wire.codec import write_decision

REVISER = Reviser(
    judge=Judge(costs=CostPolicy(), limits=StandInLimits(), safe_default=SafeDefaultPolicy()), settings_version="s"
)

decisions = st.builds(
    lambda reason, outcome, amount, currency: structs.replace(
        a_decision(), fallback_reason=reason, outcome=outcome, amount_minor=amount, currency=currency
    ),
    st.none() | st.sampled_from(FallbackReason),
    st.sampled_from(Outcome),
    st.integers(1, 10**6),
    st.sampled_from(["EUR", "JPY"]),
)
# A decision, and what the model says of it: nothing yet, nothing at all, or a probability.
histories = st.lists(
    st.tuples(decisions, st.sampled_from(["waiting", "unscorable"]) | st.floats(0, 1)), max_size=30
).map(
    lambda each: [(structs.replace(decision, decision_id=f"d.0.{n}"), said) for n, (decision, said) in enumerate(each)]
)


def revision(decision: Decision, said: str | float) -> Revision | None:
    if said == "waiting" or decision.fallback_reason is None:
        return None
    if isinstance(said, str):
        return REVISER.unscorable(decision, decision.input, decision.decided_at)
    return REVISER.re_scored(
        decision, decision.input, Score(fraud_probability=said, model_version="m"), decision.decided_at
    )


def reconciled(history: Sequence[tuple[Decision, str | float]]) -> tuple[Reconciliation, list[Revision]]:
    found = Reconciliation()
    for decision, _ in history:
        seen = glance(consumed(write_decision(decision)))
        assert seen is not None
        found.decided(seen)
    revisions = [each for each in (revision(*one) for one in history) if each is not None]
    for each in revisions:
        found.revised(each)
    return found, revisions


@given(history=histories)
def test_each_decision_made_without_the_model_is_in_one_sum_with_its_amount(
    history: Sequence[tuple[Decision, str | float]],
) -> None:
    found, revisions = reconciled(history)
    count, amount = Counter[tuple[object, str]](), Counter[tuple[object, str]]()
    for kind, each in found.sums().items():
        count[kind.fallback_reason, kind.currency] += each.decisions
        amount[kind.fallback_reason, kind.currency] += each.amount_minor

    dark = [decision for decision, _ in history if decision.fallback_reason is not None]
    assert count == Counter((each.fallback_reason, each.currency) for each in dark)
    for key, total in amount.items():
        assert total == sum(each.amount_minor for each in dark if (each.fallback_reason, each.currency) == key)
    assert found.waiting == len(dark) - len(revisions)


@given(history=histories)
def test_findings_and_savings_are_those_of_the_revisions(history: Sequence[tuple[Decision, str | float]]) -> None:
    found, revisions = reconciled(history)
    sums = found.sums()

    assert sum(each.saved_minor for each in sums.values()) == sum(
        (each.decided_cost_minor or 0) - (each.expected_cost_minor or 0) for each in revisions
    )
    blocked = [each for each in revisions if each.outcome is Outcome.BLOCK is not each.decided_outcome]
    assert sum(each.decisions for kind, each in sums.items() if kind.finding is Finding.WOULD_BLOCK) == len(blocked)
    agreed = [each for each in revisions if each.outcome is each.decided_outcome]
    assert sum(each.decisions for kind, each in sums.items() if kind.finding is Finding.AGREE) == len(agreed)


def test_a_reviewers_word_is_not_the_models() -> None:
    decision = structs.replace(a_decision(), decision_id="d.0.1")
    found, _ = reconciled([(decision, "waiting")])
    for kind in set(RevisionKind) - {RevisionKind.RE_SCORE}:
        found.revised(replace(a_revision(), kind=kind, decision_id="d.0.1"))
    assert found.waiting == 1


def test_a_second_revision_and_one_of_an_unknown_decision_change_nothing() -> None:
    decision = structs.replace(a_decision(), decision_id="d.0.1")
    found, [made] = reconciled([(decision, 0.001)])
    before = found.sums()

    found.revised(made)
    found.revised(replace(made, decision_id="d.0.2"))

    assert found.sums() == before
    assert before == {
        Kind(FallbackReason.RESPONSE_TIMEOUT, "EUR", Outcome.REVIEW, Finding.WOULD_APPROVE): Sum(
            1, 12345, 300 - round(0.001 * (12345 + 1500))
        )
    }
