"""Code and configuration without a grammar, cut by their shape: blank lines in front of lines that are not indented.

Sections of INI and TOML files, top keys of YAML files and targets of makefiles are named.
Lines are numbered from 0 here, as in `ingest/code/symbols.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

from phidex.ingest.code.symbols import Mark

SUFFIXES = frozenset(
    (
        *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".service"),
        *(".tf", ".tfvars", ".hcl", ".nix", ".bzl", ".bazel", ".cmake", ".mk", ".mak", ".gradle", ".groovy", ".dockerfile"),
        *(".proto", ".thrift", ".graphql", ".gql", ".prisma", ".vue", ".svelte", ".astro", ".scss", ".sass", ".less", ".styl"),
        *(
            ".r",
            ".pl",
            ".pm",
            ".t",
            ".dart",
            ".zig",
            ".nim",
            ".v",
            ".sv",
            ".vhd",
            ".vhdl",
            ".erl",
            ".hrl",
            ".clj",
            ".cljs",
        ),
        *(
            ".edn",
            ".lisp",
            ".el",
            ".scm",
            ".rkt",
            ".ml",
            ".mli",
            ".fs",
            ".fsi",
            ".fsx",
            ".vb",
            ".pas",
            ".f",
            ".f90",
            ".f95",
            ".for",
        ),
        *(
            ".ada",
            ".adb",
            ".ads",
            ".asm",
            ".s",
            ".d",
            ".m",
            ".mm",
            ".cr",
            ".sol",
            ".fish",
            ".ps1",
            ".psm1",
            ".bat",
            ".cmd",
            ".awk",
        ),
        *(
            ".tcl",
            ".vim",
            ".cob",
            ".cbl",
            ".wgsl",
            ".glsl",
            ".hlsl",
            ".cl",
            ".patch",
            ".diff",
            ".pyx",
            ".pxd",
            ".jsonnet",
            ".rego",
        ),
    )
)
FILES = frozenset(
    (
        *("Makefile", "makefile", "GNUmakefile", "Dockerfile", "Containerfile", "CMakeLists.txt", "Procfile", "Jenkinsfile"),
        *("BUILD", "WORKSPACE", "Justfile", "justfile", "Caddyfile", "Earthfile", "Tiltfile", "meson.build", "CODEOWNERS"),
    )
)
"""Names of files of code that have no suffix, or one that says nothing."""

_SECTION = re.compile(r"\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:[#;].*)?\Z")
_KEY = re.compile(r"([A-Za-z_][\w.-]*)\s*:(?:\s|\Z)")
_TARGET = re.compile(r"([A-Za-z][\w./-]*)\s*:(?!=)")
_RESOURCE = re.compile(r"(\w+)((?:\s+\"[^\"]+\")*)\s*\{")


def shape(lines: list[str], path: Path) -> list[Mark]:
    """Where the parts of a file begin, ascending, with the names they have there; the first is at 0."""
    suffix = path.suffix.lower()
    if suffix in (".toml", ".ini", ".cfg", ".conf", ".service"):
        return _named(lines, _SECTION)
    if suffix in (".yaml", ".yml"):
        return _named(lines, _KEY)
    if suffix in (".mk", ".mak") or path.name in ("Makefile", "makefile", "GNUmakefile", "Justfile", "justfile"):
        return _named(lines, _TARGET)
    if suffix in (".tf", ".hcl"):
        return _named(lines, _RESOURCE)
    return _spaced(lines)


def _named(lines: list[str], pattern: re.Pattern[str]) -> list[Mark]:
    """A mark at each line that names a section, or at the comments right above it."""
    marks = [Mark(0, "")]
    lead = -1
    for row, line in enumerate(lines):
        if line.startswith(("#", ";", "//")):
            lead = row if lead < 0 else lead
            continue
        if match := pattern.match(line):
            name = ".".join(part.strip(' "') for part in match.groups("") if part.strip())
            at = lead if lead > marks[-1].row or lead == 0 else row
            if at == marks[-1].row:
                marks.pop()
            marks.append(Mark(at, re.sub(r'"\s+"', ".", name)))
        lead = -1
    return marks


def _spaced(lines: list[str]) -> list[Mark]:
    """A mark at each line behind a blank one that is not indented."""
    marks = [Mark(0, "")]
    for row in range(1, len(lines)):
        line = lines[row]
        if line and not line[0].isspace() and not lines[row - 1].strip() and line.strip("})];") and row > marks[-1].row:
            marks.append(Mark(row, ""))
    return marks
