"""Real manuals to measure with, fetched through Debian's package client.

The first step of every benchmark: PDFs as people read them, one of them parallel in seven languages and one in six.
Nothing of theirs is kept in the repository; each package's licence is in its `copyright` file. Page numbers depend on
the packages' versions, which the cache's manifest records. Linux with apt-get and dpkg only; root is not needed.

Does not parse, chunk or judge anything, and does not refresh apt's package lists (`apt-get update` does).
"""

import gzip
import importlib
import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

logger = logging.getLogger(__name__)

LANGUAGES = ("en", "de", "fr", "it", "ja", "pt", "zh-cn")
PACKAGES = (
    *(f"debian-reference-{language}" for language in LANGUAGES),
    "debmake-doc",
    "r-doc-pdf",
    "gnuplot-doc",
    "octave-doc",
    "pari-doc",
    "asymptote-doc",
    "gap-doc",
    "debian-policy",
)
FOLDER = Path("~/.cache/phidex/bench/manuals")
MANIFEST = "manifest.json"


class Entry(TypedDict):
    """What the manifest says of one package."""

    version: str
    files: list[str]


def fetch_manuals(folder: Path, packages: Iterable[str] = PACKAGES) -> list[Path]:
    """The PDFs of `packages` inside `folder`, sorted; what is missing is fetched first (60 MB in all).

    A package already in the folder's manifest, with all its files there, is not fetched again. One that cannot be had
    is skipped, with a warning that names it.

    Raises:
        RuntimeError: something has to be fetched and apt-get or dpkg is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest_path = folder / MANIFEST
    manifest: dict[str, Entry] = json.loads(manifest_path.read_text("utf-8")) if manifest_path.exists() else {}
    files: list[Path] = []
    for package in packages:
        entry = manifest.get(package)
        if entry is None or not all((folder / name).exists() for name in entry["files"]):
            require_clients()
            taken = {name for other, kept in manifest.items() if other != package for name in kept["files"]}
            try:
                entry = fetch_package(package, folder, taken=taken)
            except subprocess.CalledProcessError as exc:
                reason = str(exc.stderr).strip() or exc
                logger.warning("package_skipped package=%s (is `apt-get update` needed?): %s", package, reason)
                continue
            manifest[package] = entry
            manifest_path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
        files += [folder / name for name in entry["files"]]
    return sorted(files)


def require_clients() -> None:
    """Nothing; raises RuntimeError where apt-get or dpkg cannot be run."""
    missing = [client for client in ("apt-get", "dpkg") if shutil.which(client) is None]
    if missing:
        raise RuntimeError(f"the manuals are Debian packages, and there is no {' or '.join(missing)} here; use Debian")


def fetch_package(package: str, folder: Path, *, taken: set[str]) -> Entry:
    """The package's version and the names of its PDFs, now in `folder`; none is called as one in `taken`.

    Links are left out: the file they lead to is in the package too.

    Raises:
        subprocess.CalledProcessError: the package cannot be downloaded or unpacked; `stderr` says why.
    """
    with tempfile.TemporaryDirectory() as scratch:
        run(["apt-get", "download", "--quiet", package], cwd=scratch)
        archive = next(Path(scratch).glob("*.deb"))
        version = run(["dpkg", "--field", archive.name, "Version"], cwd=scratch).strip()
        run(["dpkg", "-x", archive.name, "tree"], cwd=scratch)
        found = sorted(path for path in Path(scratch, "tree").rglob("*") if path.name.endswith((".pdf", ".pdf.gz")))
        found = [path for path in found if path.is_file() and not path.is_symlink()]
        names = {path: f"{package}-{name}" if name in taken else name for path, name in flat_names(package, found)}
        for path in found:
            content = path.read_bytes()
            part = folder / f"{names[path]}.part"  # renamed when whole: a stopped run leaves no half file behind
            part.write_bytes(gzip.decompress(content) if path.suffix == ".gz" else content)
            part.replace(folder / names[path])
    return {"version": version, "files": sorted(names.values())}


def flat_names(package: str, paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Each path with its file name outside its folders: unique, and telling which product it belongs to.

    >>> [name for _, name in flat_names("gap-doc", [Path("doc/ref/manual.pdf"), Path("doc/tut/manual.pdf")])]
    ['gap-ref-manual.pdf', 'gap-tut-manual.pdf']
    >>> [name for _, name in flat_names("debian-reference-de", [Path("a/debian-reference.de.pdf.gz")])]
    ['debian-reference.de.pdf']
    """
    paths = list(paths)
    bare = {path: path.name.removesuffix(".gz") for path in paths}
    uses = Counter(bare.values())
    product = re.sub(r"(-doc|-pdf)+$", "", package)
    named: list[tuple[Path, str]] = []
    for path, name in bare.items():
        unique = name if uses[name] == 1 else f"{path.parent.name}-{name}"
        tells = set(re.split(r"\W", product.lower())) <= set(re.split(r"\W", unique.lower()))
        named.append((path, unique if tells else f"{product}-{unique}"))
    return named


def run(command: list[str], *, cwd: str) -> str:
    """What the command prints; `subprocess.CalledProcessError` when it fails."""
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def page_count(path: Path) -> str:
    """`123 pages`, or nothing where PyMuPDF is not installed."""
    try:
        pymupdf = importlib.import_module("pymupdf")
    except ImportError:
        return ""
    with pymupdf.open(path) as document:
        return f"{document.page_count} pages"


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    for manual in fetch_manuals(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER.expanduser()):
        print(f"{manual.stat().st_size:>10,} bytes  {page_count(manual):>11}  {manual.name}")
