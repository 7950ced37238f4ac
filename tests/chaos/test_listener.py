"""The listener measures what it hears, while it goes on hearing."""

from threading import Thread

import msgspec
import pytest
from chaos.listener import Listener

from streams.settings import Settings, TopicSettings

TOLD = msgspec.json.encode({"received_at": "2026-01-02T03:04:05Z", "decided_at": "2026-01-02T03:04:05Z"})


def a_listener() -> Listener:
    return Listener(Settings(topics=TopicSettings(partitions=2)))


@pytest.mark.parametrize(
    ("heard_at", "silence"),
    [
        ([1.0, 2.0, 8.0, 9.0], 6.0),
        ([9.5], 9.5),  # before the first
        ([0.5, 1.0], 9.0),  # after the last
        ([], 10.0),
    ],
)
def test_the_longest_silence_of_a_partition_counts_from_end_to_end(heard_at: list[float], silence: float) -> None:
    listener = a_listener()
    always = [(at / 4, 0) for at in range(41)]  # the other partition does not hide it
    for at, partition in sorted(always + [(at, 1) for at in heard_at]):
        listener.take(partition, TOLD, at)
    assert listener.longest_silences(0.0, 10.0) == [0.25, silence]


def test_it_is_asked_while_it_hears() -> None:
    listener = a_listener()
    heard = 200_000

    def hear() -> None:
        for number in range(heard):
            listener.take(number % 2, TOLD, float(number))

    hearing = Thread(target=hear)
    hearing.start()
    while hearing.is_alive():
        end = float(listener.count)
        listener.ages_between(0.0, end)
        listener.back_after(0.0, end)
    hearing.join()
    assert listener.count == heard


def test_a_listener_that_ended_is_not_taken_for_silence() -> None:
    listener = a_listener()
    listener._thread = Thread(target=lambda: None)
    listener._thread.start()
    listener._thread.join()
    with pytest.raises(RuntimeError, match="has ended"):
        listener.silent_since(0.0)
