"""Malformed, encrypted, fuzzed and exotic PDFs to measure with: the test files of PDF tools, from Debian's source packages.

    package lists of this machine's own mirror --apt-get source--> tarballs --> every different *.pdf, flat in one folder

Nothing of theirs is kept in the repository. Neither root nor a change to this machine's own sources is needed: the lists of
source packages lie beside the files. Linux with apt-get only. Does not judge anything (`robust.py` does).
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from phidex.eval.bench.corpus import MANIFEST, require_clients, run

logger = logging.getLogger(__name__)

SOURCES = (
    "qpdf",  # hundreds of damaged, encrypted and odd files
    "pdf.js",  # bug reports of ten years: fonts, encodings, annotations, broken structure
    "libpdfbox2-java",
    "pypdf",
    "pikepdf",
    "pdfminer",
    "okular",
    "ghostscript",
    "libpdf-api2-perl",
    "tcpdf",
)
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MAX_MB = 60


def fetch_hostile(folder: Path, say: Callable[[str], None] = print) -> list[Path]:
    """The PDFs of `SOURCES` inside `folder`, sorted; packages missing from the manifest are fetched first (150 MB in all).

    A package that cannot be had is skipped with a warning.

    Raises:
        RuntimeError: something has to be fetched and apt-get or dpkg is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest_path = folder / MANIFEST
    manifest: dict[str, str] = json.loads(manifest_path.read_text("utf-8")) if manifest_path.exists() else {}
    missing = [package for package in SOURCES if package not in manifest]
    if missing:
        require_clients()
        with tempfile.TemporaryDirectory() as scratch:
            settings = _source_lists(Path(scratch))
            for package in missing:
                say(f"fetching the source of {package}")
                try:
                    run(["apt-get", *settings, "source", "--download-only", "-qq", package], cwd=scratch)
                except subprocess.CalledProcessError as exc:
                    logger.warning("package_skipped package=%s: %s", package, str(exc.stderr).strip() or exc)
                    continue
                manifest[package] = unpack(package, Path(scratch), folder)
                manifest_path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
    return sorted(folder.glob("*.pdf"))


def _source_lists(scratch: Path) -> list[str]:
    """Options for apt-get that name the source packages of the mirrors in use, with lists of their own; lists are fetched."""
    targets = run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN) $(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"], cwd="/"
    )
    signed = f" [signed-by={_KEYS}]" if _KEYS.exists() else ""
    lines = {
        f"deb-src{signed} {' '.join(fields[2:])}\n"
        for fields in map(str.split, targets.splitlines())
        if len(fields) == 5 and fields[:2] == ["Debian", "Packages"]
    }
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "sources.list").write_text("".join(sorted(lines)), "utf-8")
    chosen = {
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": scratch / "lists",
    }
    settings = [part for name, value in chosen.items() for part in ("-o", f"{name}={value}")]
    run(["apt-get", *settings, "update", "-qq"], cwd=str(scratch))
    return settings


def unpack(package: str, scratch: Path, folder: Path) -> str:
    """The name of the archive unpacked last; its different PDFs lie in `folder` now, and the archives are gone."""
    known = {path.name.rsplit("-", 1)[-1] for path in folder.glob("*.pdf")}
    version = ""
    for archive in sorted(path for path in scratch.iterdir() if ".orig.tar." in path.name and path.suffix != ".asc"):
        version = archive.name
        for name, content in _pdfs(archive):
            mark = f"{hashlib.sha256(content).hexdigest()[:10]}.pdf"
            if mark in known:
                continue
            known.add(mark)
            part = folder / "unfinished.part"
            part.write_bytes(content)
            part.replace(folder / f"{package}-{Path(name).stem[:80]}-{mark}")
    for path in scratch.iterdir():
        if path.is_file() and path.name != "sources.list":
            path.unlink()
    return version


def _pdfs(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file of a tarball that is called a PDF."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and member.name.lower().endswith(".pdf") and member.size <= _MAX_MB << 20:
                file = tar.extractfile(member)
                if file is not None:
                    yield member.name, file.read()
