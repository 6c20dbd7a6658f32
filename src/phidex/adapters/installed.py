"""The frameworks, imported where something of theirs is asked for; what is not installed is said with its cure."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from phidex.errors import ConfigError

_EXTRAS = {"llama_index": ("llama-index-core", "llamaindex"), "langchain_core": ("langchain-core", "langchain")}


def core(module: str) -> ModuleType:
    """A module of `llama_index.core`.

    Raises:
        ConfigError: llama-index-core is not installed.
    """
    return needed(f"llama_index.core.{module}")


def needed(module: str) -> ModuleType:
    """A module that needs a framework.

    Raises:
        ConfigError: the framework is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        package, extra = _EXTRAS.get((exc.name or "").split(".")[0], ("", ""))
        if not package:
            raise
        raise ConfigError(f"{package} is not installed", hint=f"pip install 'phidex[{extra}]'") from exc


def found(name: str, package: str, homes: dict[str, str]) -> Any:
    """What a package calls `name`, from the module that is its home.

    Raises:
        AttributeError: it has nothing of that name.
        ConfigError: the framework is not installed.
    """
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(needed(f"{package}.{homes[name]}"), name)
