"""Settings: what is refused, what the message says, what is shown of a key, and the page that documents them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from phidex.errors import ConfigError
from phidex.settings import ChatSettings, PackSettings, Settings, load_settings, settings_page

PAGE = Path(__file__).resolve().parents[2] / "docs/settings.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PHIDEX_")]:
        monkeypatch.delenv(name)


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert field.annotation.__doc__, f"section {name} says what it is for"
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("PHIDEX_PACK__BUDGET", "PHIDEX_PACK__BUDGET_TOKENS"),
        ("PHIDEX_CHAT_URL", "PHIDEX_CHAT__URL"),
        ("PHIDEX_STORE__URLS", "PHIDEX_STORE__URL"),
        ("PHIDEX_DATE", "PHIDEX_DATA"),
    ],
)
def test_unknown_variable_is_refused_with_the_nearest_name(
    variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigError, match=f"unknown setting {variable}") as caught:
        load_settings()
    assert caught.value.hint == f"did you mean {nearest}?"


def test_unknown_variable_without_a_near_name_points_at_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_QQQQQQQQQQQQQQQQQQQQQQQQQQ", "1")
    with pytest.raises(ConfigError, match=r"docs/settings\.md"):
        load_settings()


def test_variables_of_the_tests_and_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_TEST_QDRANT_URL", "http://localhost:6333")
    monkeypatch.setenv("PHIDEXTRA", "1")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("PHIDEX_PACK__BUDGET_TOKENS", "12", "greater than or equal to 256"),
        ("PHIDEX_PACK__BUDGET_TOKENS", "many", "integer"),
        ("PHIDEX_STORE__TIMEOUT_S", "0", "greater than 0"),
        ("PHIDEX_LOG", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("PHIDEX_EMBED__LANGUAGES", "en,de", r"JSON list.*LANGUAGES='\[\"en\", \"de\"\]'"),
        ("PHIDEX_INGEST__PASSWORDS", '"plain"', r"JSON list.*PASSWORDS='\[\"first\", \"second\"\]'"),
        ("PHIDEX_INGEST__PASSWORDS", "plain", r"not JSON.*PASSWORDS='\[\"first\", \"second\"\]'"),
        ("PHIDEX_STORE", "http://localhost:6333", "JSON"),
    ],
)
def test_bad_value_is_named(variable: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"^{variable}: .*{why}"):
        load_settings()


def test_nested_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_PACK__BUDGET_TOKENS", "16000")
    monkeypatch.setenv("PHIDEX_EMBED__LANGUAGES", '["en", "de"]')
    monkeypatch.setenv("PHIDEX_STORE", '{"prefer_grpc": true}')
    monkeypatch.setenv("PHIDEX_STORE__URL", "http://localhost:6333")
    settings = load_settings()
    assert settings.pack == PackSettings(budget_tokens=16_000)
    assert settings.embed.languages == ("en", "de")
    assert (settings.store.prefer_grpc, settings.store.url) == (True, "http://localhost:6333")


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_DATA", "from-environment")
    assert load_settings().data == Path("from-environment")
    assert load_settings(data=Path("given")).data == Path("given")


def test_home_is_expanded() -> None:
    assert load_settings(data=Path("~/library")).data == Path.home() / "library"
    assert load_settings().cache == Path.home() / ".cache/phidex"


def test_settings_do_not_change() -> None:
    settings = Settings()
    for target, name in ((settings, "data"), (settings.pack, "hits")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(target, name, 1)


def test_keys_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_CHAT__API_KEY", "sk-hidden")
    monkeypatch.setenv("PHIDEX_STORE__API_KEY", "qd-hidden")
    settings = load_settings()
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.chat)):
        assert "hidden" not in shown
    assert isinstance(settings.chat.api_key, SecretStr)
    assert settings.chat.api_key.get_secret_value() == "sk-hidden"


def test_a_bad_value_beside_a_key_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_CHAT__API_KEY", "sk-hidden")
    monkeypatch.setenv("PHIDEX_CHAT__RETRIES", "-1")
    with pytest.raises(ConfigError, match=r"^PHIDEX_CHAT__RETRIES") as caught:
        load_settings()
    assert "hidden" not in str(caught.value)


def test_a_secret_lies_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xef\xbb\xbfsk-hidden\r\n")
    monkeypatch.setenv("PHIDEX_CHAT__API_KEY_FILE", str(file))
    monkeypatch.setenv("PHIDEX_CHAT__MINI", "another")
    settings = load_settings()
    assert settings.chat.api_key is not None
    assert (settings.chat.api_key.get_secret_value(), settings.chat.mini) == ("sk-hidden", "another")
    assert Settings().chat.api_key == settings.chat.api_key
    assert "hidden" not in repr(settings)
    assert load_settings(chat={"api_key": "given"}).chat.api_key == SecretStr("given")


def test_every_secret_can_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first word\n\nsecond\n")
    secret = [name for name, field in fields() if "SecretStr" in str(field.annotation)]
    assert len(secret) > 5
    for name in secret:
        monkeypatch.setenv(f"PHIDEX_{name.replace('.', '__').upper()}_FILE", str(file))
    settings = load_settings()
    assert [one.get_secret_value() for one in settings.ingest.passwords] == ["first word", "second"]
    dumped = [settings.model_dump()[section][key] for section, key in (name.split(".") for name in secret)]
    assert all(dumped)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xffhidden", "is no file of text"),
        (b"hidden" * 20_000, "is too large"),
    ],
)
def test_a_file_without_a_secret_is_named(
    content: bytes | None, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("PHIDEX_STORE__API_KEY_FILE", str(file))
    with pytest.raises(ConfigError, match=f"^PHIDEX_STORE__API_KEY_FILE: .*key' {why}") as caught:
        load_settings()
    assert "hidden" not in str(caught.value)


def test_a_folder_or_a_second_value_in_place_of_the_secret_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PHIDEX_CHAT__API_KEY_FILE", str(tmp_path))
    with pytest.raises(ConfigError, match="Is a directory"):
        load_settings()
    monkeypatch.setenv("PHIDEX_CHAT__API_KEY", "sk-hidden")
    with pytest.raises(ConfigError, match="PHIDEX_CHAT__API_KEY and PHIDEX_CHAT__API_KEY_FILE are both set"):
        load_settings()


@pytest.mark.parametrize("variable", ["PHIDEX_CHAT__URL_FILE", "PHIDEX_DATA_FILE", "PHIDEX_CHAT__API_KEY_FILES"])
def test_only_secrets_have_files(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "/dev/null")
    with pytest.raises(ConfigError, match=f"unknown setting {variable}"):
        load_settings()


def test_every_key_is_secret_and_every_field_is_described() -> None:
    found = dict(fields())
    assert [name for name, field in found.items() if not field.description] == []
    assert [name for name, field in found.items() if name.endswith("key") and "SecretStr" not in str(field.annotation)] == []


def test_every_number_has_bounds() -> None:
    numbers = {name: field for name, field in fields() if field.annotation is int or field.annotation is float}
    assert [name for name, field in numbers.items() if not field.metadata] == []


def test_page_documents_every_variable() -> None:
    assert [name for name, _ in fields() if f"`PHIDEX_{name.replace('.', '__').upper()}`" not in settings_page()] == []
    assert f"`{ChatSettings.model_fields['mini'].default}`" in settings_page()


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == settings_page(), "write it anew: python -m phidex.settings > docs/settings.md"
