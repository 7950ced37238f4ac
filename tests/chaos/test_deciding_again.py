"""When partitions are decided again: by the latest of them, and by what was appended after the moment alone."""

import pytest
from chaos.deciding_again import deciding_again


@pytest.mark.parametrize(
    ("appended", "seconds"),
    [
        ({0: [1.0, 9.0, 12.0], 1: [9.5, 11.0, 15.0]}, 2.0),
        ({0: [10.0, 10.5]}, 0.5),  # at the moment is before it
        ({0: [11.0], 1: [9.0]}, None),
        ({0: [11.0], 1: []}, None),
    ],
)
def test_it_is_the_first_decision_after_the_moment_of_the_partition_that_took_longest(
    appended: dict[int, list[float]], seconds: float | None
) -> None:
    assert deciding_again(appended, 10.0) == seconds
