"""Coming into the console by an identity provider: whom it names is in, and no word that it did not sign counts."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from httpx2 import Response
from starlette.testclient import TestClient
from support.fake_provider import CLIENT_ID, CLIENT_SECRET, FakeProvider, provider
from support.reviews import a_store
from support.site import POLICY, Site
from typer.testing import CliRunner

from rules.access import Role
from streams.operating.cli import main
from streams.settings import OidcSettings, Settings

BACK = "http://127.0.0.1/login/provider/back"


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with provider() as there:
        yield there


@pytest.fixture
def site(tmp_path: Path, fake: FakeProvider) -> Iterator[Site]:
    oidc = OidcSettings(issuer=fake.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_url=BACK)
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        there = Site(store, Settings(oidc=oidc))
        there.accounts.put("dora", Role.ANALYST, None)
        yield there


def left(there: TestClient) -> str:
    """Where a browser is sent that wants to come in."""
    answer = there.get("/login/provider")
    assert answer.status_code == 303
    return str(answer.headers["location"])


def came_back(site: Site, fake: FakeProvider, user: str = "dora", **changes: Any) -> tuple[TestClient, Response]:
    there = site.browser()
    brought = fake.agree(left(there), user) | changes
    return there, there.get("/login/provider/back", params=brought)


def is_in(there: TestClient) -> bool:
    return there.get("/").status_code == 200


def test_whom_the_provider_names_is_in(site: Site, fake: FakeProvider) -> None:
    there, page = came_back(site, fake)
    assert page.status_code == 200
    assert 'http-equiv="refresh"' in page.text
    assert is_in(there)
    assert "dora, analyst" in there.get("/").text
    assert 'href="/login/provider"' in site.browser().get("/login").text


def test_the_provider_is_asked_as_it_should_be(site: Site, fake: FakeProvider) -> None:
    addresses = [urlsplit(left(site.browser())) for _ in range(2)]
    asked = [parse_qs(each.query) for each in addresses]
    assert asked[0]["response_type"] == ["code"]
    assert asked[0]["client_id"] == [CLIENT_ID]
    assert asked[0]["redirect_uri"] == [BACK]
    assert asked[0]["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43  # 256 bits


@pytest.mark.parametrize("user", ["nobody", "gone", "", "Dora"])
def test_who_is_no_user_here_is_not_in(site: Site, fake: FakeProvider, user: str) -> None:
    site.accounts.put("gone", Role.LEAD, None)
    site.accounts.disable("gone")
    there, page = came_back(site, fake, user)
    assert page.status_code == 401
    assert not is_in(there)


NOW = time.time()


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another client"},
        {"exp": NOW - 3_600, "iat": NOW - 7_200},
        {"iat": NOW + 3_600},
        {"nonce": "of another attempt"},
        {"nonce": None},
        {"exp": None},
        {"aud": None},
        {"iss": None},
        {"preferred_username": None},
        {"preferred_username": ["dora"]},
    ],
)
def test_a_token_that_is_not_for_this_attempt_counts_for_nothing(
    site: Site, fake: FakeProvider, claims: dict[str, Any]
) -> None:
    fake.claims = claims
    there, page = came_back(site, fake)
    assert page.status_code == 401
    assert not is_in(there)


def test_a_token_that_the_provider_did_not_sign_counts_for_nothing(site: Site, fake: FakeProvider) -> None:
    for key, algorithm in (
        (rsa.generate_private_key(65537, 2048), "RS256"),
        ("a secret that is long enough to be one of HS256", "HS256"),
        ("", "none"),
    ):
        fake.signs_with, fake.algorithm = key, algorithm
        there, page = came_back(site, fake)
        assert page.status_code == 401
        assert not is_in(there)


def test_the_provider_may_change_its_keys(site: Site, fake: FakeProvider) -> None:
    assert is_in(came_back(site, fake)[0])
    fake.key, fake.key_id = rsa.generate_private_key(65537, 2048), "k-2"
    assert is_in(came_back(site, fake)[0])


def test_an_attempt_counts_once_and_for_the_browser_that_began_it(site: Site, fake: FakeProvider) -> None:
    mine, other = site.browser(), site.browser()
    brought = fake.agree(left(mine), "dora")
    left(other)
    assert other.get("/login/provider/back", params=brought).status_code == 401
    assert not is_in(other)
    assert mine.get("/login/provider/back", params=brought).status_code == 401  # it was tried already
    mine = site.browser()
    brought = fake.agree(left(mine), "dora")
    assert mine.get("/login/provider/back", params=brought).status_code == 200
    assert mine.get("/login/provider/back", params=brought).status_code == 401


@pytest.mark.parametrize("changes", [{"state": "of nobody"}, {"state": ""}, {"code": ""}, {"code": "of nobody"}])
def test_what_the_provider_did_not_send_back_counts_for_nothing(
    site: Site, fake: FakeProvider, changes: dict[str, str]
) -> None:
    there, page = came_back(site, fake, **changes)
    assert page.status_code == 401
    assert not is_in(there)


def test_a_provider_that_is_away_or_another_one_lets_nobody_in(site: Site, fake: FakeProvider) -> None:
    fake.calls_itself = "http://somebody.else"
    assert site.browser().get("/login/provider").status_code == 401
    fake.calls_itself, fake.down = "", True
    assert site.browser().get("/login/provider").status_code == 401
    fake.down = False
    there = site.browser()
    brought = fake.agree(left(there), "dora")
    fake.down = True
    assert there.get("/login/provider/back", params=brought).status_code == 401


def test_a_user_without_a_password_comes_in_by_none(site: Site) -> None:
    for password in ("", "dora", "None"):
        assert site.browser().post("/login", data={"name": "dora", "password": password}).status_code == 401


def test_the_command_makes_a_user_whom_only_the_provider_lets_in(
    site: Site, fake: FakeProvider, tmp_path: Path
) -> None:
    variables = {"HOLDFAST_CONSOLE_STORE_URL": f"sqlite:///{tmp_path}/reviews.db"}
    made = CliRunner(env=variables).invoke(main, ["users", "put", "cleo", "--role", "lead", "--no-password"])
    assert made.output == "cleo may come in as lead.\n"
    assert site.browser().post("/login", data={"name": "cleo", "password": ""}).status_code == 401
    assert is_in(came_back(site, fake, "cleo")[0])


def test_what_happened_stands_in_the_log(site: Site, fake: FakeProvider) -> None:
    before = site.audit_log.verify().number
    came_back(site, fake)
    came_back(site, fake, "nobody")
    assert site.audit_log.verify().number == before + 2


def test_without_a_provider_there_is_no_such_way(tmp_path: Path) -> None:
    with a_store(f"sqlite:///{tmp_path}/reviews.db", POLICY) as store:
        plain = Site(store)
        assert "/login/provider" not in plain.browser().get("/login").text
        assert plain.browser("ann").get("/login/provider").status_code == 404


@pytest.mark.parametrize(
    "oidc",
    [
        {"issuer": "https://id.example"},
        {"issuer": "https://id.example", "client_id": "x"},
        {"issuer": "http://id.example", "client_id": "x", "redirect_url": BACK},
    ],
)
def test_a_provider_that_could_be_anybodys_is_refused(oidc: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="issuer"):
        OidcSettings(**oidc)


def test_its_secret_is_told_by_nothing() -> None:
    given = {"issuer": "https://id.example", "client_id": "x", "redirect_url": BACK}
    plain, secret = (Settings(oidc=OidcSettings(**given, client_secret=each)) for each in ("", CLIENT_SECRET))
    assert CLIENT_SECRET not in repr(secret)
    assert plain.version == secret.version
