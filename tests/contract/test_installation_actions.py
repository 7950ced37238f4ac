"""What is done on the pages of the installation: by whom, from where, and noted before it is done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiokafka import TopicPartition
from support.installation_actions import INSTALLATION_ACTIONS
from support.reviews import a_store
from support.shown import modelled
from support.site import PEOPLE, POLICY, Site

from streams.reviewing.tables import log


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        site = Site(store)
        modelled(site.cluster, site.now)
        yield site


def said(site: Site) -> int:
    """Records of the topics that an installation is told on."""
    return sum(len(site.cluster.topics.logs[TopicPartition(topic, 0)]) for topic in ("control", "rules"))


def logged(site: Site) -> list[str]:
    with site.store.engine.begin() as connection:
        return list(connection.scalars(sa.select(log.c.what).order_by(log.c.number)))


@pytest.mark.parametrize("path", INSTALLATION_ACTIONS)
def test_nothing_is_done_without_a_session(site: Site, path: str) -> None:
    answer = site.browser().post(path, data=INSTALLATION_ACTIONS[path][0])
    assert (answer.status_code, answer.headers["location"], said(site)) == (303, "/login", 0)


@pytest.mark.parametrize("path", INSTALLATION_ACTIONS)
def test_nothing_is_done_by_others_than_those_who_may(site: Site, path: str) -> None:
    form, who = INSTALLATION_ACTIONS[path]
    for name in set(PEOPLE) - who:
        assert site.browser(name).post(path, data=form).status_code == 403
    assert said(site) == 0
    assert set(logged(site)) == {"log_in"}


@pytest.mark.parametrize("path", INSTALLATION_ACTIONS)
def test_nothing_is_done_from_another_site(site: Site, path: str) -> None:
    form, who = INSTALLATION_ACTIONS[path]
    there = site.browser(min(who))
    assert there.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert said(site) == 0
