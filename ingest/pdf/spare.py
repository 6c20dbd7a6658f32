"""Keeps `import pymupdf` from importing its layout model and its Markdown writer too: 0.6 s and 60 MB that few need.

Who needs them imports them by name, and gets them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_BESIDE = frozenset(("pymupdf.layout", "pymupdf4llm"))


class _Sparing(MetaPathFinder):
    """Says of some modules that they are not there, as long as `pymupdf` itself is being imported, which takes that well."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  the protocol's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """None, which leaves the module to others."""
        if fullname in _BESIDE:
            spec = getattr(sys.modules.get("pymupdf"), "__spec__", None)
            if getattr(spec, "_initializing", False):
                raise ModuleNotFoundError(f"{fullname} is not wanted yet", name=fullname)
        return None


def spare_imports() -> None:
    """From here on, in this process. Calling it twice is fine."""
    if not any(isinstance(finder, _Sparing) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Sparing())
