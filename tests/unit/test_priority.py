"""Giving way, in processes of their own."""

import subprocess
import sys

import pytest

from streams.priority import AUTOGROUP

GIVES_WAY = """
import os
from streams.priority import AUTOGROUP, give_way
give_way(5)
give_way(7)
give_way(6)
print(os.getpriority(os.PRIO_PROCESS, 0))
if AUTOGROUP.exists():
    print(AUTOGROUP.read_text().split()[-1])
"""


def gives_way(*, leads_a_session: bool) -> list[int]:
    """Its niceness, and its session's; started by a session that leads itself."""
    command = [sys.executable, "-c", GIVES_WAY]
    if not leads_a_session:
        command = [sys.executable, "-c", f"import subprocess; subprocess.run({command!r}, check=True)"]
    said = subprocess.run(command, start_new_session=True, check=True, capture_output=True, text=True).stdout
    return [int(each) for each in said.split()]


def test_a_process_gives_way_as_far_as_it_was_ever_told() -> None:
    assert gives_way(leads_a_session=True)[0] == 7


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system does not group processes by session")
@pytest.mark.parametrize(("leads_a_session", "of_session"), [(True, 7), (False, 0)])
def test_a_session_gives_way_with_its_leader_and_not_with_others(leads_a_session: bool, of_session: int) -> None:
    assert gives_way(leads_a_session=leads_a_session) == [7, of_session]
