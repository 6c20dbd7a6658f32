"""All settings together, and how they are read: from arguments, the environment, and files of secrets."""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from phidex.errors import ConfigError
from phidex.settings.secret_files import FILE, is_secret, with_secret_files
from phidex.settings.sections import (
    ChatSettings,
    EmbedSettings,
    IngestSettings,
    PackSettings,
    RerankSettings,
    SearchSettings,
    ServerSettings,
    SpeechSettings,
    StoreSettings,
    section_of,
    variables,
)

PREFIX = "PHIDEX_"


class Settings(BaseSettings):
    """Every setting of Phidex, frozen. `Settings()` reads `PHIDEX_*` variables; arguments win over them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    data: Path = Field(default=Path("phidex-data"), description="the data folder")
    cache: Path = Field(
        default=Path("~/.cache/phidex"),
        description="what is derived from models and can be made again, shared by all data folders",
    )
    store: StoreSettings = StoreSettings()
    ingest: IngestSettings = IngestSettings()
    speech: SpeechSettings = SpeechSettings()
    embed: EmbedSettings = EmbedSettings()
    rerank: RerankSettings = RerankSettings()
    search: SearchSettings = SearchSettings()
    pack: PackSettings = PackSettings()
    chat: ChatSettings = ChatSettings()
    server: ServerSettings = ServerSettings()
    log: Literal["debug", "info", "warning", "error"] = Field(default="error", description="level of the command line's log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, in which the files of secrets stand for their variables."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = with_secret_files(env_settings.env_vars, variables(settings_cls, PREFIX))
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @field_validator("data", "cache")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser()


def load_settings(**values: Any) -> Settings:
    """The settings from the environment, with `values` winning over it.

    Raises:
        ConfigError: a value is wrong, or a `PHIDEX_` variable is not known; the message names it.
    """
    fields = dict(variables(Settings, PREFIX))
    known = {*fields, *(name + FILE for name, field in fields.items() if is_secret(field))}
    for name in os.environ:
        if name.startswith(PREFIX) and not name.startswith("PHIDEX_TEST_") and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, 1)
            raise ConfigError(f"unknown setting {name}", hint=f"did you mean {close[0]}?" if close else "see docs/settings.md")
    try:
        return Settings(**values)
    except ValidationError as exc:
        fault = exc.errors()[0]
        name = PREFIX + "__".join(str(part) for part in fault["loc"] if not isinstance(part, int)).upper()
        raise _wrong(name, "should be a JSON list" if fault["type"] == "tuple_type" else fault["msg"]) from exc
    except SettingsError as exc:  # something that should be JSON is not; the exception names its section at best
        raise _wrong(_not_json() or PREFIX + "".join(re.findall(r'field "(\w+)"', str(exc))).upper(), "is not JSON") from exc


def _wrong(name: str, message: str) -> ConfigError:
    """What is said of a variable, never with its value: it may be secret."""
    field = dict(variables(Settings, PREFIX)).get(name)
    example = re.search(r"as JSON: (\[.*\])", field.description or "") if field else None
    hint = f"for example {name}='{example[1]}'" if example else "see docs/settings.md"
    return ConfigError(f"{name}: {message}", hint=hint)


def _not_json() -> str:
    """The variable of the environment that is a list or a whole section, and is not JSON; "" when there is none."""
    given = {name.upper(): value for name, value in os.environ.items()}
    for name, field in variables(Settings, PREFIX):
        if name in given and (
            section_of(field) or tuple in (get_origin(kind) for kind in (field.annotation, *get_args(field.annotation)))
        ):
            try:
                json.loads(given[name])
            except ValueError:
                return name
    return ""
