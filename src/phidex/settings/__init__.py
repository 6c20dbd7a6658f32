"""All settings, one section a stage. Built at entry points and passed as an argument; nothing reads the environment elsewhere.

A field `budget_tokens` of section `pack` is set by `PHIDEX_PACK__BUDGET_TOKENS=16000`. Unknown keys are refused.
`python -m phidex.settings` prints them all as docs/settings.md.

sections.py      the fields of each stage
load.py          all of them together, from arguments and the environment
secret_files.py  secrets that lie in files
page.py          docs/settings.md
"""

from phidex.settings.load import Settings, load_settings
from phidex.settings.page import settings_page
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
)

__all__ = [
    "ChatSettings",
    "EmbedSettings",
    "IngestSettings",
    "PackSettings",
    "RerankSettings",
    "SearchSettings",
    "ServerSettings",
    "Settings",
    "SpeechSettings",
    "StoreSettings",
    "load_settings",
    "settings_page",
]
