"""Settings: one file, overridden by the environment, refused in a sentence, and without a secret to be seen."""

from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path

import pytest

from rules.decision import Outcome
from rules.safe_default import AmountBand, SafeDefaultPolicy
from streams.settings import BrokerSettings, DeadlineSettings, Settings, SettingsError, load_settings

SECTIONS = [each.name for each in fields(Settings) if is_dataclass(each.type)]
PLAIN = [
    (section, key, value)
    for section in SECTIONS
    for key, value in asdict(getattr(Settings(), section)).items()
    if isinstance(value, str | int | float)
]
LITERALS = {
    "unanswered": "approve",
    "security_protocol": "SASL_SSL",
    "outcome": "approve",
    "family": "blend",
    "share": 0.05,
    "sasl_mechanism": "SCRAM-SHA-512",
    "webhook_url": "http://x",
    "alertmanager_url": "http://x",
    "questions_url": "http://x",
    "issuer": "https://x",
    "redirect_url": "http://x",
}
SECRET = ("sasl_password", "webhook_secret", "answers_secret", "client_secret", "salt", "store_url")
PAIRS = {
    "reserve_ms": 60,
    "lag_leave": 400,
    "rest_seconds": 0.6,
    "silent_after_seconds": 9.0,
}  # bounded by another setting
NEEDS = {
    "issuer": {"HOLDFAST_OIDC_CLIENT_ID": "x", "HOLDFAST_OIDC_REDIRECT_URL": "http://x"},
    "min_insync_replicas": {"HOLDFAST_TOPICS_REPLICATION_FACTOR": "3"},
    "share": {"HOLDFAST_EXPLORATION_SALT": "hush"},
}


def changed(key: str, value: object) -> object:
    """Another value that the setting may have."""
    if key in LITERALS or key in PAIRS:
        return (LITERALS | PAIRS)[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, float):
        return value * 0.5
    return value + 1


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(directory: Path, text: str, **environment: str) -> Settings:
    file = directory / "some.toml"
    file.write_text(text, "utf-8")
    return load_settings(file, environment)


def refusal(directory: Path, text: str, **environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        loaded(directory, text, **environment)
    return str(refused.value)


def test_without_file_and_environment_all_is_by_default(elsewhere: Path) -> None:
    assert load_settings(None, {}) == Settings()


def test_every_section_is_known() -> None:
    assert set(SECTIONS) == {each.name for each in fields(Settings)} - {"app", "sandbox"}


@pytest.mark.parametrize(("section", "key", "value"), PLAIN, ids=lambda part: str(part))
def test_each_setting_is_read_from_the_environment_and_names_another_version(
    elsewhere: Path, section: str, key: str, value: object
) -> None:
    other = changed(key, value)
    said = str(other).lower() if isinstance(other, bool) else str(other)
    settings = load_settings(None, NEEDS.get(key, {}) | {f"HOLDFAST_{section}_{key}".upper(): said})
    assert getattr(getattr(settings, section), key) == other
    assert (settings.version == Settings().version) == (key in SECRET)


@pytest.mark.parametrize("change", [{"app": "other"}, {"sandbox": True}], ids=str)
def test_what_is_in_no_section_names_another_version_too(change: dict) -> None:
    assert replace(Settings(), **change).version != Settings().version


def test_bands_name_another_version() -> None:
    bands = SafeDefaultPolicy(bands=(AmountBand(outcome=Outcome.BLOCK),))
    assert replace(Settings(), safe_default=bands).version != Settings().version


def test_the_version_is_the_same_in_every_process() -> None:
    assert Settings().version == Settings(broker=BrokerSettings(sasl_password="hush")).version
    assert len(Settings().version) == 12


def test_a_file_is_read_and_the_environment_goes_over_it(elsewhere: Path) -> None:
    text = 'app = "shop"\n[scorer]\nbudget_ms = 40\nhung_after_ms = 500\n[[safe_default.bands]]\noutcome = "block"\n'
    settings = loaded(elsewhere, text, HOLDFAST_SCORER_BUDGET_MS="50", HOLDFAST_BROKER="k:1", HOLDFAST_SANDBOX="true")
    assert (settings.app, settings.scorer.budget_ms, settings.scorer.hung_after_ms) == ("shop", 50, 500)
    assert (settings.broker.bootstrap_servers, settings.sandbox) == ("k:1", True)
    assert settings.safe_default.outcome_for(1) is Outcome.BLOCK


@pytest.mark.parametrize("how", ["named", "by the environment", "lying there"])
def test_a_file_is_found(elsewhere: Path, how: str) -> None:
    file = elsewhere / "holdfast.toml"
    file.write_text('app = "shop"')
    path = file if how == "named" else None
    environment = {"HOLDFAST_SETTINGS": str(file)} if how == "by the environment" else {}
    assert load_settings(path, environment).app == "shop"


def test_a_file_that_is_named_must_be_there(elsewhere: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(None, {"HOLDFAST_SETTINGS": "nowhere.toml"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sandbx = true", "unknown setting `sandbx`; did you mean `sandbox`?"),
        ("[scorer]\nbudget = 40", "[scorer]: unknown setting `budget`; did you mean `budget_ms`?"),
        ("[scorers]\nbudget_ms = 40", "unknown setting `scorers`; did you mean `scorer`?"),
        ("[scorer]\nzzzzzz = 40", "unknown setting `zzzzzz`"),
        ("scorer = 40", "`scorer` is a section, not a value"),
        ("[scorer]\nbudget_ms = 'soon'", "$.scorer.budget_ms"),
        ("[scorer]\nbudget_ms = 0", "$.scorer.budget_ms"),
        ("[scorer]\nbudget_ms = 1.5", "$.scorer.budget_ms"),
        ("[scorer]\nbudget_ms = [1]", "$.scorer.budget_ms"),
        ("[scorer]\nstale_after_hours = nan", "$.scorer.stale_after_hours"),
        ("[broker]\nsecurity_protocol = 'TELNET'", "$.broker.security_protocol"),
        ("[topics]\nprefix = 'a b'", "$.topics.prefix"),
        ("app = 'Not This'", "$.app"),
        ("[deadline]\nreserve_ms = 300", "$.deadline"),
        ("[topics]\nmin_insync_replicas = 2", "above replication_factor"),
        ("[deadline]\nlag_leave = 5000", "$.deadline"),
        ("[breaker]\nwindow = 0", "$.breaker"),
        ("[policy]\napprove_confidence = 90", "$.policy"),
        ("[incidents]\nupdate_seconds = 0", "$.incidents"),
        ("[stand_in]\nmax_count = -1", "$.stand_in"),
        ("[[safe_default.bands]]\nbelow_minor = 5\noutcome = 'approve'", "$.safe_default"),
        ("[scorer", "some.toml"),
        ("app = '\udc80'".encode("utf-8", "surrogateescape").decode("latin-1"), "$.app"),
    ],
    ids=lambda part: part[:40],
)
def test_a_wrong_setting_is_refused_in_a_sentence_that_names_it(elsewhere: Path, text: str, told: str) -> None:
    assert told in refusal(elsewhere, text)


def test_a_file_that_is_no_text_is_refused(elsewhere: Path) -> None:
    (elsewhere / "holdfast.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"holdfast\.toml"):
        load_settings(None, {})


def test_a_wrong_variable_is_refused(elsewhere: Path) -> None:
    assert "$.lanes.max_batch" in refusal(elsewhere, "", HOLDFAST_LANES_MAX_BATCH="many")


def test_a_password_is_never_shown(elsewhere: Path) -> None:
    settings = load_settings(None, {"HOLDFAST_BROKER_SASL_PASSWORD": "hush-hush"})
    assert settings.broker.sasl_password == "hush-hush"
    assert "hush" not in f"{settings!r} {settings} {settings.broker!r} {settings.version}"


@pytest.mark.parametrize("reserve", [299, 0])
def test_a_deadline_leaves_the_model_some_time(reserve: int) -> None:
    assert DeadlineSettings(reserve_ms=reserve).deadline_ms == 300
