"""Each kind of fraud: as frequent as the policy says, with its pattern, close to honest use."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

import pytest
from support.simulated import SMALL, frauds, honest, month

from models.simulator.crime import CAMPAIGNS
from models.simulator.policy import FraudType
from models.simulator.population import populate
from models.simulator.world import World
from models.transaction import Channel, Transaction


def by_card(transactions: tuple[Transaction, ...]) -> dict[str, list[Transaction]]:
    cards = defaultdict(list)
    for one in transactions:
        cards[one.pan_token].append(one)
    return cards


def median_amounts() -> dict[str, float]:
    return {token: median(one.amount_minor for one in paid) for token, paid in by_card(honest()).items()}


def against_habit(transactions: tuple[Transaction, ...]) -> list[float]:
    usual = median_amounts()
    return [
        one.amount_minor / usual[one.pan_token]
        for one in transactions
        if one.pan_token in usual and one.merchant_country == one.card_country
    ]


def first_visits(place: str) -> dict[tuple[str, str], datetime]:
    visits: dict[tuple[str, str], datetime] = {}
    for one in honest():
        visits.setdefault((getattr(one, place), one.pan_token), one.event_time)
    return visits


def been_before(visits: dict[tuple[str, str], datetime], one: Transaction, place: str) -> bool:
    first = visits.get((place, one.pan_token))
    return first is not None and first < one.event_time


def test_the_fraud_share_is_near_the_policy() -> None:
    share = sum(made.is_fraud for made in month()) / len(month())
    assert share == pytest.approx(SMALL.fraud.total, rel=0.3)


@pytest.mark.parametrize("fraud", list(FraudType))
def test_each_type_is_about_as_frequent_as_the_policy_says(fraud: FraudType) -> None:
    assert 0.5 < len(frauds(fraud)) / len(month()) / SMALL.fraud.of(fraud) < 2.0


def test_campaigns_of_weeks_are_under_way_when_the_traffic_starts() -> None:
    abused = frauds(FraudType.MERCHANT_COMPROMISE)
    first_quarter = sum(one.event_time < SMALL.start + timedelta(days=8) for one in abused)
    assert first_quarter > 0.15 * len(abused)


def test_the_truth_says_who_pays() -> None:
    assert all(made.is_fraud is (made.fraud_type is not None) for made in month())


def test_card_testing_is_small_online_and_fails_the_cvv() -> None:
    tests = frauds(FraudType.CARD_TESTING)
    assert {one.channel for one in tests} == {Channel.ECOMMERCE}
    assert median(against_habit(tests)) < 0.3
    mismatches = sum(one.cvv_result == "N" for one in tests) / len(tests)
    honest_online = [one for one in honest() if one.channel is Channel.ECOMMERCE]
    assert mismatches > 0.3
    assert 0.005 < sum(one.cvv_result == "N" for one in honest_online) / len(honest_online) < 0.03


def test_card_testing_comes_in_bursts_at_one_merchant() -> None:
    merchants = defaultdict(list)
    for one in frauds(FraudType.CARD_TESTING):
        merchants[one.merchant_id].append(one.event_time)
    gaps = [later - earlier for times in merchants.values() for earlier, later in pairwise(times)]
    assert median(gaps) < timedelta(minutes=5)


def test_a_spree_rises_within_hours_at_merchants_new_to_the_card() -> None:
    stolen = frauds(FraudType.STOLEN_CARD_SPREE)
    sprees = [paid for paid in by_card(stolen).values() if 3 <= len(paid) <= 9]
    assert median(paid[-1].event_time - paid[0].event_time for paid in sprees) < timedelta(hours=12)
    at_home = [paid for paid in sprees if {one.currency for one in paid} == {paid[0].currency}]
    assert sum(paid[-1].amount_minor > paid[0].amount_minor for paid in at_home) > 0.75 * len(at_home)
    known = first_visits("merchant_id")
    assert sum(been_before(known, one, one.merchant_id) for one in stolen) < 0.25 * len(stolen)


def test_some_sprees_use_a_card_that_was_tested() -> None:
    tested = {one.pan_token: one.event_time for one in reversed(frauds(FraudType.CARD_TESTING))}
    sprees = [paid[0] for paid in by_card(frauds(FraudType.STOLEN_CARD_SPREE)).values()]
    followed = sum(paid.pan_token in tested and tested[paid.pan_token] < paid.event_time for paid in sprees)
    assert 0.15 < followed / len(sprees) < 0.8


def at_spots() -> dict[str, list[Transaction]]:
    """Where at least five payments were abused with cards whose holders had been there."""
    visits, spots = first_visits("acceptor"), defaultdict(list)
    for one in frauds(FraudType.MERCHANT_COMPROMISE):
        if been_before(visits, one, one.acceptor):
            spots[one.acceptor].append(one)
    return {spot: abused for spot, abused in spots.items() if len(abused) >= 5}


def test_a_compromised_terminal_abuses_the_cards_it_has_seen_for_weeks() -> None:
    spots = at_spots()
    assert median(paid[-1].event_time - paid[0].event_time for paid in spots.values()) > timedelta(days=6)
    assert all(len({one.pan_token for one in paid}) > 2 for paid in spots.values())
    assert 0.4 < sum(map(len, spots.values())) / len(frauds(FraudType.MERCHANT_COMPROMISE)) < 0.7


def test_a_compromise_abuses_only_cards_read_at_its_spot_there_and_elsewhere() -> None:
    world = World.of(SMALL, populate(SMALL))
    campaign = next(one for one in CAMPAIGNS if one.fraud is FraudType.MERCHANT_COMPROMISE)
    steps = campaign.plot(world, 0.0, 200)
    assert next(steps)[1] is None
    ((spot, seen),) = world.skimmed.items()
    seen.extend(world.cards[:5])
    abused = [payment for _, payment in steps if payment is not None]
    there = sum((payment.terminal_id or payment.merchant.merchant_id) == spot for payment in abused)
    assert len(abused) == 199
    assert {payment.card.pan_token for payment in abused} == {card.pan_token for card in world.cards[:5]}
    assert 0.4 < there / len(abused) < 0.7
    assert not world.skimmed


def test_a_taken_over_account_pays_more_from_one_new_device() -> None:
    taken = frauds(FraudType.ACCOUNT_TAKEOVER)
    own_devices = {(one.pan_token, one.device_id) for one in honest()}
    assert not any((one.pan_token, one.device_id) in own_devices for one in taken)
    assert median(len({one.device_id for one in paid}) for paid in by_card(taken).values()) == 1
    assert median(against_habit(taken)) > 1.5


def test_an_odd_big_ticket_is_far_above_the_habit_and_comes_alone() -> None:
    tickets = frauds(FraudType.ODD_BIG_TICKET)
    assert median(against_habit(tickets)) > 4.0
    assert median(len(paid) for paid in by_card(tickets).values()) == 1


def test_holders_also_do_what_thieves_do() -> None:
    high = sum(ratio > 5.0 for ratio in against_habit(honest()))
    high_frauds = sum(ratio > 5.0 for fraud in FraudType for ratio in against_habit(frauds(fraud)))
    assert high > 2 * high_frauds
