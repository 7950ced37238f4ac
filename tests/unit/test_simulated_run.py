"""A run of the simulator: its place in time, its ids, its bad records."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.simulated import SMALL, first

from models.simulator.bad_records import BAD_KINDS
from streams.operating.simulated_run import LONG_AGO, BadRecords, SimulatedRun, span_of
from streams.wire.codec import MalformedRecord, read_transaction, write_transaction

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def run(**changes: object) -> SimulatedRun:
    given_ = {"now": NOW, "rate": 500.0, "seconds": 60.0, "time_compression": None} | changes
    return SimulatedRun(SMALL, **given_)  # type: ignore[arg-type]


@given(st.floats(0.1, 5_000.0), st.floats(0.01, 1_000.0), st.floats(0.0, 1.0))
def test_a_compressed_run_ends_at_the_present_and_is_never_ahead_of_it(
    seconds: float, compression: float, part: float
) -> None:
    span = span_of(NOW, seconds=seconds, time_compression=compression, habitual_compression=1.0)
    elapsed = seconds * part
    moment = span.moment(NOW, elapsed)
    if compression >= 1.0:
        assert moment <= NOW + timedelta(seconds=elapsed, milliseconds=1)
    assert abs(span.moment(NOW, seconds) - NOW) < timedelta(milliseconds=2)


def test_an_endless_run_starts_now_unless_time_is_compressed() -> None:
    live = span_of(NOW, seconds=None, time_compression=1.0, habitual_compression=1.0)
    fast = span_of(NOW, seconds=None, time_compression=1.01, habitual_compression=1.0)
    assert (live.start, fast.start) == (NOW, NOW - LONG_AGO)


@pytest.mark.parametrize(("day", "hour"), [(4, 0), (6, 4), (8, 20), (9, 12), (10, 18)])  # Monday to Sunday
def test_a_habitual_run_ends_shortly_before_the_present(day: int, hour: int) -> None:
    now = NOW.replace(day=day, hour=hour)
    short = run(now=now, seconds=8.0)
    moments = [short.pay(0.0).transaction.event_time for _ in range(4_000)]
    assert now - timedelta(days=4) < moments[-1] < now
    assert moments == sorted(moments)


def test_two_runs_of_one_seed_share_cards_but_no_id() -> None:
    early, late = run(), run(now=NOW + timedelta(milliseconds=1))
    ones, others = ([each.pay(0.0).transaction for _ in range(500)] for each in (early, late))
    assert {one.transaction_id for one in ones}.isdisjoint(other.transaction_id for other in others)
    assert {one.pan_token for one in ones} & {other.pan_token for other in others}


def test_what_a_run_makes_is_accepted_at_the_border() -> None:
    for one in (run(time_compression=1.0), run()):
        made = one.pay(1.0).transaction
        assert read_transaction(made.pan_token.encode(), write_transaction(made), NOW.timestamp()) == made


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_bad_records_make_up_their_share_of_all(share: float) -> None:
    bad, good = BadRecords(share, seed=1), first(1)[0].transaction
    made = sum(len(list(bad.after(good, NOW))) for _ in range(2_000))
    assert made / (2_000 + made) == pytest.approx(share, abs=0.001)


def test_every_kind_of_bad_record_is_refused_for_its_reason_long_after_its_good_one() -> None:
    bad = BadRecords(0.5, seed=1)
    good = structs.replace(first(1)[0].transaction, event_time=NOW - timedelta(days=300))
    for kind in BAD_KINDS:
        [(key, value)] = bad.after(good, NOW)
        if kind.follows_good:
            assert read_transaction(key, value, NOW.timestamp()).transaction_id == good.transaction_id
            continue
        with pytest.raises(MalformedRecord) as refusal:
            read_transaction(key, value, NOW.timestamp())
        assert refusal.value.reason is kind.reason


def test_the_share_of_bad_records_is_less_than_all() -> None:
    with pytest.raises(ValueError, match="below 1"):
        BadRecords(1.0, seed=1)
