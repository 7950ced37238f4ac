"""How often somebody may try to log in: a name a few times, an address more often, and not for ever."""

from support.stopped_clock import StoppedClock

from streams.reviewing.login_limit import MOST_KEPT, MOST_OF_ADDRESS, MOST_OF_NAME, WINDOW_SECONDS, LoginLimit


def test_a_name_waits_after_a_few_failures_wherever_they_come_from() -> None:
    limit, clock = LoginLimit(), StoppedClock()
    for number in range(MOST_OF_NAME):
        assert limit.may_try("ann", "another", clock())
        limit.failed("ann", f"address-{number}", clock())
    assert not limit.may_try("ann", "another", clock())
    assert limit.may_try("bob", "another", clock())


def test_an_address_waits_after_more_of_them_whomever_it_names() -> None:
    limit, clock = LoginLimit(), StoppedClock()
    for number in range(MOST_OF_ADDRESS):
        assert limit.may_try("ann", "here", clock())
        limit.failed(f"name-{number}", "here", clock())
    assert not limit.may_try("ann", "here", clock())
    assert limit.may_try("ann", "there", clock())


def test_failures_are_forgotten_in_time() -> None:
    limit, clock = LoginLimit(), StoppedClock()
    for _ in range(MOST_OF_NAME):
        limit.failed("ann", "here", clock())
    clock.pass_(WINDOW_SECONDS - 1)
    assert not limit.may_try("ann", "here", clock())
    clock.pass_(1)
    assert limit.may_try("ann", "here", clock())


def test_a_name_is_no_address() -> None:
    limit = LoginLimit()
    for _ in range(MOST_OF_ADDRESS):
        limit.failed("ann", "here", 0.0)
    assert limit.may_try("here", "ann", 0.0)


def test_inventing_names_takes_no_memory_without_end() -> None:
    limit = LoginLimit()
    for number in range(MOST_KEPT):
        limit.failed(f"name-{number}", f"address-{number}", 0.0)
    assert len(limit._failures) == MOST_KEPT
