"""Prints docs/settings.md: `python -m phidex.settings`."""

from phidex.settings.page import settings_page

if __name__ == "__main__":
    print(settings_page(), end="")
