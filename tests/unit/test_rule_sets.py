"""Rule sets: reading them, everything that can be wrong with one, and the verdicts they give."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rule_inputs import judged

from rules.decision import Outcome, ReasonCode
from rules.ruleset import NO_HIT, RuleSet, RuleSetError, When, parse_ruleset
from rules.ruleset_reading import MAX_CHARACTERS, MAX_RULES

HEAD = 'name = "t"\nversion = "1"\n'


def rule(rule_id: str, condition: str, outcome: str = "review", reason: str = "NEW_CARD", more: str = "") -> str:
    return f'[[rule]]\nid = "{rule_id}"\nif = "{condition}"\noutcome = "{outcome}"\nreason = "{reason}"\n{more}\n'


def ruleset(*rules: str, lists: str = "") -> RuleSet:
    return parse_ruleset(HEAD + lists + "".join(rules))


def problems(text: str) -> list[str]:
    with pytest.raises(RuleSetError) as caught:
        parse_ruleset(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_says_what_it_leaves_out_by_defaults() -> None:
    (only,) = ruleset(rule("a", "true")).rules
    assert (only.priority, only.when, only.on_error, only.enabled, only.description) == (
        100,
        When.FALLBACK,
        Outcome.REVIEW,
        True,
        "",
    )


def test_without_a_hit_the_one_shared_verdict_approves() -> None:
    verdict = ruleset(rule("a", "amount > 100")).judge(*judged(amount=100.0))
    assert verdict is NO_HIT
    assert (verdict.outcome, verdict.reasons, verdict.always) == (Outcome.APPROVE, (ReasonCode.NO_RULE_HIT,), None)


def test_hits_come_by_priority_and_the_first_decides() -> None:
    verdict = ruleset(
        rule("low", "true", "block", "HIGH_VELOCITY", "priority = 1"),
        rule("high", "true", "approve", "LISTED_ALLOW", "priority = 2"),
        rule("not", "false", "block", "LISTED_DENY", "priority = 3"),
    ).judge(*judged())
    assert verdict.hits == ("high", "low")
    assert (verdict.outcome, verdict.reasons) == (Outcome.APPROVE, (ReasonCode.LISTED_ALLOW,))


@pytest.mark.parametrize(
    ("outcomes", "severest"),
    [
        (("approve", "review"), Outcome.REVIEW),
        (("block", "review"), Outcome.BLOCK),
        (("approve", "block", "review"), Outcome.BLOCK),
    ],
)
def test_of_equal_priorities_the_severest_outcome_decides(outcomes: tuple[str, ...], severest: Outcome) -> None:
    rules = [rule(outcome, "true", outcome) for outcome in outcomes]
    assert ruleset(*rules).judge(*judged()).outcome is severest


def test_reasons_are_those_of_the_hits_that_agree_each_once() -> None:
    verdict = ruleset(
        rule("a", "true", "review", "NEW_CARD", "priority = 900"),
        rule("b", "true", "block", "LISTED_DENY"),
        rule("c", "true", "review", "HIGH_VELOCITY"),
        rule("d", "true", "review", "NEW_CARD"),
    ).judge(*judged())
    assert verdict.reasons == (ReasonCode.NEW_CARD, ReasonCode.HIGH_VELOCITY)


def test_hard_rules_have_an_outcome_of_their_own() -> None:
    verdict = ruleset(
        rule("soft", "true", "block", "HIGH_VELOCITY", "priority = 900"),
        rule("hard", "true", "review", "AMOUNT_LIMIT", 'when = "always"'),
    ).judge(*judged())
    assert (verdict.outcome, verdict.always, verdict.always_reasons) == (
        Outcome.BLOCK,
        Outcome.REVIEW,
        (ReasonCode.AMOUNT_LIMIT,),
    )


def test_a_soft_hit_alone_says_nothing_for_every_mode() -> None:
    verdict = ruleset(rule("soft", "true"), rule("hard", "false", more='when = "always"')).judge(*judged())
    assert (verdict.always, verdict.always_reasons) == (None, ())


@pytest.mark.parametrize("condition", ["1 / card_count_10m > 1", "amount * 1000000000000000000 > 1"])
def test_a_rule_that_cannot_be_evaluated_speaks_with_its_outcome_on_error(condition: str) -> None:
    verdict = ruleset(
        rule("broken", condition, "approve", "NEW_CARD", 'on_error = "block"\nwhen = "always"'),
        rule("whole", "true", "review"),
    ).judge(*judged(amount=1e300))
    assert (verdict.hits, verdict.failed) == (("whole",), ("broken",))
    assert (verdict.outcome, verdict.reasons) == (Outcome.BLOCK, (ReasonCode.RULE_FAILED,))
    assert (verdict.always, verdict.always_reasons) == (Outcome.BLOCK, (ReasonCode.RULE_FAILED,))


def test_a_disabled_rule_is_checked_but_silent() -> None:
    assert ruleset(rule("a", "false"), rule("b", "true", more="enabled = false")).judge(*judged()) is NO_HIT
    assert problems(HEAD + rule("a", "true") + rule("b", "tru", more="enabled = false"))


def test_named_lists_reach_the_rules() -> None:
    deny = ruleset(rule("deny", "pan_token in cards"), lists='[lists]\ncards = ["tok_1"]\n')
    assert deny.judge(*judged()).hits == ("deny",)
    assert deny.judge(*judged(pan_token="tok_2")) is NO_HIT


def test_the_largest_rule_set_judges() -> None:
    rules = [rule(f"r{index}", "amount > 1") for index in range(MAX_RULES)]
    assert len(ruleset(*rules).judge(*judged()).hits) == MAX_RULES
    assert problems(HEAD + "".join(rules) + rule("more", "true"))


def test_the_version_is_as_declared_and_changes_with_every_change_of_content() -> None:
    text = HEAD + rule("a", "amount > 1")
    version = parse_ruleset(text).ruleset_version
    assert version.startswith("1+")
    assert len(version) == len("1+") + 12
    assert version == parse_ruleset(text.replace("\n", "\r\n")).ruleset_version
    assert version != parse_ruleset(text.replace("> 1", "> 2")).ruleset_version


def test_all_problems_are_reported_in_the_order_of_the_text() -> None:
    assert problems(
        "\n".join(
            [
                'name = "t t"',
                "colour = 1",
                "[lists]",
                "amount = []",
                'Bad-Name = ["x"]',
                'mixed = ["x", 1, true]',
                "scalar = 5",
                "[[rule]]",
                'id = "a"',
                'if = "pan_token in cards"',
                'outcome = "blok"',
                'reason = "NO_REASON"',
                "priority = true",
                "wen = 1",
                "[[rule]]",
                'id = "a"',
                "if = '''",
                "amount > 1 and",
                "  currency > 'x' '''",
                'outcome = "block"',
                'when = "never"',
                "enabled = 1",
            ]
        )
    ) == [
        "1:1: 'version' is missing",
        "1:8: 'name' is 1 to 64 of A-Z a-z 0-9 _ . : -",
        "2:1: unknown key 'colour'",
        "4:1: 'amount' already means something in expressions",
        "5:1: 'Bad-Name' is no name for a list: small letters, digits and '_'",
        "6:15: 'mixed' begins with a text, this is a number",
        "6:18: 'mixed' holds texts or numbers only",
        "7:10: 'scalar' must be an array of texts or numbers",
        "10:20: unknown list 'cards'",
        "11:11: unknown outcome 'blok': did you mean 'block'?",
        "12:10: unknown reason 'NO_REASON'",
        "13:12: 'priority' must be a whole number",
        "14:1: unknown key 'wen': did you mean 'when'?",
        "15:1: 'reason' is missing",
        "16:6: rule 'a' is already on line 9",
        "19:12: '>' needs numbers, not text",
        "21:8: unknown when 'never'",
        "22:11: 'enabled' must be true or false",
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD, "1:1: a rule set needs at least one [[rule]]"),
        (HEAD + rule("a", "true", more="enabled = false"), "1:1: no rule is enabled"),
        (HEAD + "rule = 5", "3:8: each rule is a table that begins with [[rule]]"),
        (HEAD + "rule = [5]", "3:8: each rule is a table that begins with [[rule]]"),
        (HEAD + "lists = 5\n" + rule("a", "true"), "3:9: lists is a table: [lists], then name = [values]"),
        (HEAD + "rule = [{id = 'a', if = 'tru', outcome = 'block', reason = 'NEW_CARD'}]", "3:26: unknown name 'tru'"),
        (HEAD + "[lists]\nx = [1, nan]\n" + rule("a", "true"), "4:9: 'x' holds texts or numbers only"),
        (HEAD + "x = [", "3:6: Invalid value"),
        (HEAD + "x = = 1", "3:5: Invalid value"),
        (HEAD + "a." * 300_000 + "b = 1", "3:1: a key of more than 32 parts"),
        (HEAD + "x = 1\n[" + "'a b' . " * 90_000 + "b]", "4:2: a key of more than 32 parts"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "1:1: brackets are nested too deeply"),
        ("#" * (MAX_CHARACTERS + 1), f"1:1: a rule set has at most {MAX_CHARACTERS} characters"),
    ],
)
def test_a_set_that_cannot_be_used_says_why_and_where(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


PIECES = [
    "[[rule]]\n", "[lists]\n", "[rule]\n", 'id = "a"\n', "if = 'amount > 1'\n", "if = 3\n", "outcome = 'block'\n",
    "reason = 'NEW_CARD'\n", "name = 'n'\n", "version = '1'\n", "cards = ['x', 2, [1], {a = 1}]\n", "rule.if = 1\n",
    "x = nan\n", 'if = """\n\\u0041 (\\\n  "\n"""\n', "lists = []\n", "[rule.lists]\n", "'' = 1\n", "priority = 1.5\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text())
def test_no_text_raises_anything_but_a_rule_set_error(text: str) -> None:
    with suppress(RuleSetError):
        parse_ruleset(text)
