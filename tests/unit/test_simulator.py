"""The simulated stream: repeatable, ordered, valid, with the habits of people."""

import json
import re
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from itertools import islice, pairwise
from math import exp
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulated import SMALL, first, honest, month

from models.simulator.chance import Weighted, seeded
from models.simulator.holder import STEADINESS, Holder
from models.simulator.policy import FraudShares, TrafficPolicy
from models.simulator.population import populate
from models.simulator.rhythm import DAY, HOUR, NIGHT_OWL, OFFICE, WEEK
from models.simulator.traffic import honest_per_day
from models.simulator.world import World
from models.transaction import Channel, Transaction

LIKE_A_CARD_NUMBER = re.compile(r"[0-9](?:[ -]?[0-9]){12}")


def as_bytes(count: int, policy: TrafficPolicy = SMALL) -> bytes:
    return b"\n".join(msgspec.json.encode((made.transaction, made.fraud_type)) for made in first(count, policy))


def local_hour(transaction: Transaction, hours_from_utc: float) -> int:
    return (transaction.event_time + timedelta(hours=hours_from_utc)).hour


def test_the_same_policy_makes_the_same_bytes() -> None:
    assert as_bytes(3_000) == as_bytes(3_000)


def test_every_python_and_hash_seed_makes_these_bytes() -> None:
    assert sha256(as_bytes(3_000)).hexdigest() == ("cf6dcd0933c00df17e56474de0652dc9bf466f1e30b582d118a969a3de01e8ff")


def test_another_seed_makes_other_traffic_without_a_common_id() -> None:
    ids = {made.transaction.transaction_id for made in first(2_000)}
    others = {made.transaction.transaction_id for made in first(2_000, replace(SMALL, seed=51))}
    assert len(ids) == len(others) == 2_000
    assert not ids & others


def test_event_times_never_go_back_and_begin_at_the_start() -> None:
    times = [made.transaction.event_time for made in month()]
    assert times == sorted(times)
    assert SMALL.start <= times[0] < SMALL.start + timedelta(hours=1)


def test_ids_are_unique() -> None:
    assert len({made.transaction.transaction_id for made in month()}) == len(month())


def test_every_transaction_is_valid_by_the_contract() -> None:
    for made in month()[::10]:
        plain = json.loads(msgspec.json.encode(made.transaction))
        assert msgspec.convert(plain, Transaction) == made.transaction


def test_nothing_looks_like_a_card_number_even_with_the_largest_seed() -> None:
    largest = first(20_000, replace(SMALL, seed=2**32 - 1))
    written = "\n".join(msgspec.json.encode(made.transaction).decode() for made in month()[::5] + largest)
    assert LIKE_A_CARD_NUMBER.search(written) is None


def test_checks_go_with_the_channel() -> None:
    seen = defaultdict(set)
    for made in month():
        transaction = made.transaction
        seen[transaction.channel].add((transaction.pan_entry_mode, transaction.eci, transaction.three_ds_status))
        if transaction.channel is Channel.CARD_PRESENT:
            assert transaction.terminal_id
            assert transaction.ip is transaction.cvv_result is transaction.device_id is None
    assert {eci for _, eci, _ in seen[Channel.CARD_PRESENT]} == {None}
    assert seen[Channel.RECURRING] == {("102", "02", None)}
    assert seen[Channel.MOTO] == {("012", "01", None)}
    assert {(eci, status) for _, eci, status in seen[Channel.ECOMMERCE]} == {
        ("05", "Y"), ("06", "A"), ("07", "U"), ("07", "N"), ("07", None),
    }  # fmt: skip


def test_without_fraud_the_honest_traffic_is_the_same() -> None:
    none = FraudShares(
        card_testing=0.0, stolen_card_spree=0.0, merchant_compromise=0.0, account_takeover=0.0, odd_big_ticket=0.0
    )
    unnumbered = {"transaction_id": "", "rrn": None, "stan": None}
    with_fraud = [made.transaction for made in first(5_000) if not made.is_fraud]
    without = [made.transaction for made in first(len(with_fraud), replace(SMALL, fraud=none))]
    assert len(with_fraud) < 5_000
    assert [msgspec.structs.replace(one, **unnumbered) for one in with_fraud] == [
        msgspec.structs.replace(one, **unnumbered) for one in without
    ]


def test_people_sleep_at_night() -> None:
    hours = Counter(local_hour(one, 1.0) for one in honest() if one.card_country == "DE" and one.channel != "recurring")
    deep_night = sum(hours[hour] for hour in (2, 3, 4, 5))
    after_work = sum(hours[hour] for hour in (16, 17, 18, 19))
    assert 0.02 * after_work < deep_night < 0.25 * after_work


def test_some_are_night_owls() -> None:
    nights, days = Counter(), Counter()
    for one in honest():
        if one.card_country == "DE":
            (nights if local_hour(one, 1.0) in (22, 23, 0, 1, 2, 3) else days)[one.pan_token] += 1
    owls = sum(nights[token] > 0.4 * (nights[token] + days[token]) for token in days if days[token] > 30)
    assert 0.03 < owls / sum(count > 30 for count in days.values()) < 0.25


def test_shops_with_doors_close_at_night() -> None:
    hours = {local_hour(one, 1.0) for one in honest() if one.mcc == "5411" and one.merchant_country == "FR"
             and one.channel is Channel.CARD_PRESENT}  # fmt: skip
    assert hours <= set(range(7, 22))


def test_cards_are_faithful_to_few_merchants() -> None:
    visits: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in honest():
        visits[one.pan_token][one.merchant_id] += 1
    shares = [
        (sum(count for _, count in seen.most_common(10)) / seen.total())
        for seen in visits.values()
        if seen.total() > 60
    ]
    assert 0.4 < sum(shares) / len(shares) < 0.8


def test_of_two_favourites_of_a_kind_the_first_is_much_preferred() -> None:
    ratios = []
    for card in populate(SMALL).cards[:300]:
        shops = defaultdict(list)
        for shop, (before, up_to) in zip(
            card.favourites.things, pairwise((0.0, *card.favourites.cumulative)), strict=True
        ):
            shops[shop.category.mcc, shop.online].append(up_to - before)
        ratios += [weights[1] / weights[0] for weights in shops.values() if len(weights) > 1]
    assert 0.3 < median(ratios) < 0.6


def test_holders_treat_themselves_now_and_then() -> None:
    world = World.of(SMALL, populate(SMALL))
    treats = paid = 0
    for number in range(200):
        for _, payment in islice(Holder(world, number).purchases(), 100):
            spread = STEADINESS * payment.merchant.category.sigma
            far_above = payment.card.usual_minor(payment.merchant) * exp(3.5 * spread)
            treats += payment.amount_minor > far_above + 1.0
            paid += 1
    assert 0.0015 < treats / paid < 0.006


def test_travellers_pay_in_one_country_and_come_home() -> None:
    abroad = [one for one in honest() if one.merchant_country != one.card_country]
    assert 0.01 < len(abroad) / len(honest()) < 0.12
    spans: defaultdict[tuple[str, str | None], list[datetime]] = defaultdict(list)
    for one in abroad:
        spans[one.pan_token, one.merchant_country].append(one.event_time)
    stays = [times[-1] - times[0] for times in spans.values() if len(times) > 5]
    assert stays
    assert sorted(stays)[len(stays) // 2] < timedelta(days=15)


def test_subscriptions_take_the_same_amount_once_a_month() -> None:
    taken = defaultdict(list)
    for one in honest():
        if one.channel is Channel.RECURRING:
            taken[one.pan_token, one.merchant_id, one.amount_minor].append(one.event_time)
    gaps = [times[1] - times[0] for times in taken.values() if len(times) == 2]
    assert gaps
    assert all(timedelta(days=30) < gap < timedelta(days=31) for gap in gaps)


def test_the_population_pays_as_often_as_the_policy_says() -> None:
    days = (month()[-1].transaction.event_time - SMALL.start) / timedelta(days=1)
    assert len(honest()) / days == pytest.approx(honest_per_day(populate(SMALL)), rel=0.05)
    purchases = sum(one.channel is not Channel.RECURRING for one in honest())
    assert purchases / days / SMALL.cards == pytest.approx(SMALL.purchases_per_card_day, rel=0.06)


def merchants_kept(policy: TrafficPolicy) -> float:
    made = first(40_000, policy)
    early, late = defaultdict(set), defaultdict(set)
    for half, seen in ((made[:10_000], early), (made[-10_000:], late)):
        for one in half:
            seen[one.transaction.pan_token].add(one.transaction.merchant_id)
    return sum(len(early[token] & late[token]) for token in early) / sum(map(len, early.values()))


def test_habits_drift_only_where_the_policy_says_so() -> None:
    few = replace(SMALL, cards=300, merchants=400)
    assert merchants_kept(replace(few, drift_per_day=0.05)) < 0.75 * merchants_kept(few)


def test_drift_renews_some_cards_and_leaves_the_others_their_token() -> None:
    drifting = first(40_000, replace(SMALL, cards=300, merchants=400, drift_per_day=0.05))
    tokens = {made.transaction.pan_token for made in drifting}
    renewed = {token for token in tokens if "r" in token}
    assert renewed
    assert any(made.transaction.device_id and "r" in made.transaction.device_id
               and made.transaction.pan_token not in renewed for made in drifting)  # fmt: skip


@given(local=st.floats(0, 60 * WEEK), share=st.floats(0, 3))
def test_activity_passes_as_time_does(local: float, share: float) -> None:
    later = OFFICE.later(local, share)
    assert later >= local
    assert OFFICE.later(local, share + 1.0) - later == pytest.approx(WEEK, abs=1.0)


def test_a_night_owl_waits_longer_through_the_day_than_through_the_night() -> None:
    noon, midnight = 36 * HOUR, DAY
    assert NIGHT_OWL.later(midnight, 0.03) - midnight < 0.5 * (NIGHT_OWL.later(noon - 6 * HOUR, 0.03) - noon + 6 * HOUR)


def test_weighted_things_come_as_often_as_they_weigh() -> None:
    rng, drawn = seeded(3), Weighted.of((("a", 1.0), ("b", 3.0)))
    assert Counter(drawn.draw(rng) for _ in range(10_000))["b"] == pytest.approx(7_500, rel=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"start": datetime(2025, 1, 1)},  # noqa: DTZ001
        {"start": datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2)))},
        {"cards": 0},
        {"purchases_per_card_day": 0.0},
        {"drift_per_day": -0.1},
        {"currencies": ("EUR", "XXX")},
        {"currencies": ()},
        {"merchants": 329},
    ],
)
def test_a_policy_that_makes_no_traffic_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        TrafficPolicy(**wrong)  # type: ignore[arg-type]


def test_fraud_shares_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValueError):
        FraudShares(card_testing=0.6)
    with pytest.raises(ValueError):
        FraudShares(card_testing=-0.001)


def test_a_start_in_the_middle_of_a_week_keeps_the_rhythm() -> None:
    made = first(20_000, replace(SMALL, start=datetime(2025, 3, 6, 13, 30, tzinfo=UTC)))
    hours = Counter(local_hour(one.transaction, 1.0) for one in made if one.transaction.card_country == "DE")
    assert hours[3] < 0.2 * hours[18]
