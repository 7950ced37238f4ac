"""The shipped rules: sound, quick, quiet on ordinary payments, and awake to each kind of attack."""

from typing import Any

import pytest
from support.rule_inputs import judged

from rules.decision import Outcome, ReasonCode
from rules.ruleset import NO_HIT, When, parse_ruleset
from rules.syntax import walk
from streams.operating.rules_commands import shipped_rules

DEFAULT = parse_ruleset(shipped_rules())

HITS: dict[str, dict[str, Any]] = {
    "sanctioned-country": {"merchant_country": "KP"},
    "amount-limit": {"amount": 20_000.01, "amount_minor": 2_000_001},
    "runaway-card": {"card_count_1h": 26},
    "authentication-rejected": {"three_ds_status": "R"},
    "card-testing": {"card_count_10m": 5, "card_count_1h": 5, "amount": 1.0},
    "card-tested-then-used": {"card_count_1h": 5, "card_sum_1h_minor": 500, "amount": 900.0, "amount_minor": 90_000},
    "wrong-code-and-address": {"cvv_result": "N", "avs_result": "N"},
    "guessed-code": {"cvv_result": "N", "card_count_1h": 3},
    "compromised-card-spends": {"card_fraud_known": 1.0, "amount_ratio": 3.1},
    "compromised-terminal": {"merchant_fraud_run": 3.0, "merchant_fraud_age": 8.0},
    "authenticated": {"three_ds_status": "Y", "eci": "05"},
    "velocity-10m": {"card_count_10m": 5},
    "velocity-1h": {"card_count_1h": 10},
    "velocity-1d": {"card_count_1d": 12.0, "card_count_30d": 40.0},
    "spend-1h": {"card_count_1h": 3, "card_sum_1h_minor": 200_001, "amount_ratio": 2.1},
    "spend-1d": {"card_sum_1d_minor": 999_000, "amount_minor": 1_001},
    "two-places-at-once": {"seconds_since_last": 29.0, "channel": "card_present", "amount_ratio": 2.1},
    "far-above-habit": {"amount_ratio": 4.1, "amount_z": 5.1},
    "spree": {"card_big_14d": 3.0, "amount_ratio": 2.6},
    "wrong-code": {"cvv_result": "N"},
    "wrong-address": {"avs_result": "N", "amount_ratio": 2.1},
    "compromised-card": {"card_fraud_known": 1.0, "amount_ratio": 1.9},
    "merchant-under-attack": {
        "merchant_last_was_fraud": 1.0, "merchant_risk_last8": 0.5, "merchant_fraud_age": 8.0,
    },
    "risky-merchant": {"merchant_count_30d": 10.0, "merchant_risk_30d": 0.31, "merchant_fraud_age": 8.0},
    "country-mismatch": {"merchant_country": "FR", "amount_ratio": 3.1},
    "high-risk-category": {"mcc": "7995", "amount_ratio": 2.6, "amount": 100.01},
    "night-ticket": {"is_night": 1.0, "amount_ratio": 3.1},
    "new-card-big-ticket": {"card_history": 2.0, "amount": 1_000.01},
    "new-card-resale": {"card_history": 0.0, "mcc": "5732", "amount": 300.01},
    "keyed-in": {"pan_entry_mode": "012", "channel": "card_present", "amount_ratio": 2.1},
}  # fmt: skip
FILLED_BY_THE_OWNER = {
    "denied-card": ("denied_cards", "tok_1", {}),
    "denied-merchant": ("denied_terminals", "t-1", {}),
    "denied-device": ("denied_addresses", "192.0.2.1", {}),
    "trusted-card": ("trusted_cards", "tok_1", {}),
    "high-risk-country": ("high_risk_countries", "DE", {"amount_ratio": 1.6}),
}
MOST_NODES = 400  # of all conditions together; the 35 rules have about 250


def test_an_ordinary_payment_hits_nothing() -> None:
    assert DEFAULT.judge(*judged()) is NO_HIT


def test_a_payment_with_nothing_but_what_is_required_hits_nothing() -> None:
    optional = (
        "terminal_id", "mcc", "merchant_country", "card_country", "channel", "pan_entry_mode", "device_id", "ip",
        "avs_result", "cvv_result", "eci", "three_ds_status", "acquirer_id", "seconds_since_last",
    )  # fmt: skip
    assert DEFAULT.judge(*judged(**dict.fromkeys(optional))) is NO_HIT


@pytest.mark.parametrize(("rule_id", "changes"), HITS.items(), ids=HITS)
def test_each_rule_hits_what_it_is_meant_for(rule_id: str, changes: dict[str, Any]) -> None:
    assert rule_id in DEFAULT.judge(*judged(**changes)).hits


@pytest.mark.parametrize("rule_id", FILLED_BY_THE_OWNER)
def test_each_list_works_once_its_owner_has_filled_it(rule_id: str) -> None:
    name, value, changes = FILLED_BY_THE_OWNER[rule_id]
    filled = parse_ruleset(shipped_rules().replace(f"{name} = []", f'{name} = ["{value}"]'))
    assert rule_id in filled.judge(*judged(**changes)).hits


def test_every_rule_has_its_test() -> None:
    assert {rule.rule_id for rule in DEFAULT.rules} == HITS.keys() | FILLED_BY_THE_OWNER.keys()


def test_no_single_sign_of_doubt_blocks() -> None:
    signs: list[dict[str, Any]] = [
        {"amount": 15_000.0}, {"amount_ratio": 20.0, "amount_z": 50.0}, {"cvv_result": "N"}, {"avs_result": "N"},
        {"card_count_10m": 8}, {"card_history": 0.0, "seconds_since_last": None}, {"merchant_country": "BR"},
        {"card_fraud_known": 1.0}, {"is_night": 1.0}, {"mcc": "7995"},
    ]  # fmt: skip
    outcomes = {DEFAULT.judge(*judged(**sign)).outcome for sign in signs}
    assert Outcome.BLOCK not in outcomes


def test_a_deny_list_goes_before_an_allow_list_in_every_mode() -> None:
    text = shipped_rules().replace("denied_cards = []", 'denied_cards = ["tok_1"]')
    both = parse_ruleset(text.replace("trusted_cards = []", 'trusted_cards = ["tok_1"]'))
    verdict = both.judge(*judged())
    assert (verdict.always, verdict.always_reasons) == (Outcome.BLOCK, (ReasonCode.LISTED_DENY,))


def test_full_authentication_goes_before_doubt_but_not_before_strong_evidence() -> None:
    authenticated = {"three_ds_status": "Y", "eci": "05"}
    assert DEFAULT.judge(*judged(**authenticated, card_count_1h=10)).outcome is Outcome.APPROVE
    strong = {"merchant_fraud_run": 3.0, "merchant_fraud_age": 8.0}
    assert DEFAULT.judge(*judged(**authenticated, **strong)).outcome is Outcome.BLOCK


def test_most_rules_leave_the_last_word_to_the_model() -> None:
    hard = {rule.rule_id for rule in DEFAULT.rules if rule.when is When.ALWAYS}
    assert hard == {
        "sanctioned-country", "denied-card", "denied-merchant", "denied-device",
        "amount-limit", "runaway-card", "trusted-card",
    }  # fmt: skip


def test_the_set_is_at_least_twenty_rules_and_of_bounded_complexity() -> None:
    assert len(DEFAULT.rules) >= 20
    assert sum(1 for rule in DEFAULT.rules for _ in walk(rule.tree)) <= MOST_NODES


def test_every_rule_says_in_a_sentence_what_it_is_for() -> None:
    assert all(rule.description for rule in DEFAULT.rules)
