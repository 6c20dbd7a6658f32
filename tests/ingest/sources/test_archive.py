"""Archives as sources: what comes out, and that none of them breaks out, blows up or costs more than itself."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import lzma
import os
import stat
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.ingest.hosts import find, read_all, write

from phidex.ingest.sources import archive
from phidex.ingest.sources.archive import is_archive
from phidex.settings import IngestSettings

TEXT = b"The boiler was replaced in March. "


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with cast(tarfile.TarFile, tarfile.open(path, mode)) as archive:  # type: ignore[call-overload]  # the mode is a plain str
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data) if data else None)
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


FILES = {"a.md": b"# A", "inner/b.md": b"b", "inner/picture.xyz": b"?", ".hidden.md": b"h", "__MACOSX/._a.md": b"m"}


@pytest.mark.parametrize("name", ["docs.zip", "docs.tar", "docs.tar.gz", "docs.tgz", "docs.tar.bz2", "docs.tar.xz", "DOCS.ZIP"])
def test_documents_in_archives(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix.lower() == ".zip":
        make_zip(path, FILES)
    else:
        make_tar(
            path, dict(FILES), {"gz": "w:gz", "tgz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}.get(name.rsplit(".", 1)[1], "w")
        )
    with find(path, workspace=tmp_path / "w") as discovery:
        found = list(discovery)
    assert [(one.uri, one.shown, one.place, one.reason) for one in found] == [
        (f"{path.as_uri()}#a.md", f"{path}#a.md", "a.md", ""),
        (f"{path.as_uri()}#inner/b.md", f"{path}#inner/b.md", "inner/b.md", ""),
        (f"{path.as_uri()}#inner/picture.xyz", f"{path}#inner/picture.xyz", "inner/picture.xyz", found[2].reason),
    ]
    assert "not a kind of document" in found[2].reason
    assert dict(found[1].metadata) == {"archive": str(path), "member": "inner/b.md"}
    assert found[1].keep
    assert not (tmp_path / "w/spool").exists() or len(list((tmp_path / "w/spool").iterdir())) == 1


def test_one_member_lies_in_the_spool_at_a_time(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "many.zip", {f"{number}.md": b"x" for number in range(50)})
    with find(path, workspace=tmp_path / "w") as discovery:
        for found in discovery:
            assert len(list(found.path.parents[1].iterdir())) == 1
            discovery.release(found)


def test_archives_in_a_folder_and_office_files(tmp_path: Path) -> None:
    office = io.BytesIO()
    with zipfile.ZipFile(office, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
        archive.writestr("README.md", "no document of its own")
    write(tmp_path / "in", {"letter.docx": office.getvalue(), "not.zip": b"plain", "z.7z": b"7z\xbc\xaf\x27\x1c"})
    make_zip(tmp_path / "in/docs.zip", {"a.md": b"a"})
    files = read_all(find(tmp_path / "in", workspace=tmp_path / "w"))
    assert files["a.md"][1] == b"a"
    assert "README.md" not in files
    reasons = {found.path.name: found.reason for found, _ in files.values() if found.reason}
    assert reasons["z.7z"] == "a 7-Zip archive, a kind that is not read"
    assert "not a kind" in reasons["not.zip"]
    ((seven, _),) = read_all(find(tmp_path / "in/z.7z", workspace=tmp_path / "w")).values()
    assert seven.failed
    assert "unpack it" in seven.hint
    assert not is_archive(tmp_path / "in/letter.docx")


def test_a_single_file_that_is_packed(tmp_path: Path) -> None:
    for name, data in (("a.md.gz", gzip.compress(TEXT)), ("b.md.bz2", bz2.compress(TEXT)), ("c.md.xz", lzma.compress(TEXT))):
        write(tmp_path, {name: data})
        files = read_all(find(tmp_path / name, workspace=tmp_path / "w"))
        assert [(place, data) for place, (_, data) in files.items()] == [(name[:4], TEXT)]
    make_tar(tmp_path / "plain.tar", {"in.md": b"in"})
    write(tmp_path, {"odd.gz": gzip.compress((tmp_path / "plain.tar").read_bytes())})  # a tar that does not say so
    assert list(read_all(find(tmp_path / "odd.gz", workspace=tmp_path / "w"))) == ["in.md"]


def test_archives_in_archives_to_a_depth(tmp_path: Path) -> None:
    data, name = b"deep", "deep.md"
    for level in range(5):
        path = make_zip(tmp_path / f"level{level}.zip", {name: data, f"side{level}.md": b"s"})
        data, name = path.read_bytes(), path.name
    files = read_all(find(tmp_path / "level4.zip", workspace=tmp_path / "w"))
    place = "level3.zip/level2.zip/level1.zip/side1.md"
    assert files[place][0].uri == f"{(tmp_path / 'level4.zip').as_uri()}#{place}"
    (deepest,) = (found for found, _ in files.values() if found.reason)
    assert deepest.place == "level3.zip/level2.zip/level1.zip/level0.zip"
    assert "too deep" in deepest.reason
    none = read_all(find(tmp_path / "level4.zip", workspace=tmp_path / "w", settings=IngestSettings(archive_depth=0)))
    assert [bool(found.reason) for found, _ in none.values()] == [True, False]


HOSTILE = ["../up.md", "a/../../up.md", "/abs.md", "C:/win.md", "..\\up.md", "\\abs.md"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_no_path_leaves_its_folder(tmp_path: Path, kind: str) -> None:
    inside = tmp_path / "a/b/c"
    inside.mkdir(parents=True)
    members = dict.fromkeys((*HOSTILE, "good.md"), TEXT)
    path = make_zip(inside / "x.zip", members) if kind == "zip" else make_tar(inside / "x.tar", dict(members))
    before = sorted(tmp_path.rglob("*"))
    files = read_all(find(path, workspace=inside / "w"))
    good = [found.place for found, _ in files.values() if not found.reason]
    assert good == ["good.md"]
    bad = [found for found, _ in files.values() if found.reason]
    assert {found.reason for found in bad} == {"its path leaves the archive"}
    assert len(bad) >= 4  # some are the same once backslashes are slashes
    assert [p for p in sorted(tmp_path.rglob("*")) if inside / "w" not in (p, *p.parents)] == before


def test_links_and_devices_are_named_and_never_made(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("secret")
    members: dict[str, bytes | tarfile.TarInfo] = {
        "soft.md": special("soft.md", tarfile.SYMTYPE, str(secret)),
        "hard.md": special("hard.md", tarfile.LNKTYPE, "../secret.md"),
        "pipe.md": special("pipe.md", tarfile.FIFOTYPE),
        "disk.md": special("disk.md", tarfile.BLKTYPE),
        "good.md": b"good",
    }
    files = read_all(find(make_tar(tmp_path / "x.tar", members), workspace=tmp_path / "w"))
    assert {place: found.reason for place, (found, _) in files.items()} == {
        "soft.md": "a symbolic link, not a file",
        "hard.md": "a hard link, not a file",
        "pipe.md": "a pipe, not a file",
        "disk.md": "a device, not a file",
        "good.md": "",
    }
    link = zipfile.ZipInfo("link.md")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(link, str(secret))
    ((found, data),) = read_all(find(tmp_path / "x.zip", workspace=tmp_path / "w")).values()
    assert (found.reason, data) == ("a symbolic link, not a file", b"")


def test_names_in_any_encoding(tmp_path: Path) -> None:
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ünïcode 日本.md", "flagged")
        for raw in (b"na\xefve.md", "größe.md".encode()):  # cp437 and UTF-8, neither marked
            info = zipfile.ZipInfo("x" * len(raw))
            archive.writestr(info, "x")
    data = path.read_bytes()
    for raw in (b"na\xefve.md", "größe.md".encode()):
        data = data.replace(b"x" * len(raw), raw) if data.count(b"x" * len(raw)) == 2 else data
    path.write_bytes(data)
    places = list(read_all(find(path, workspace=tmp_path / "w")))
    assert places[0] == "ünïcode 日本.md"
    assert "größe.md" in places
    info = tarfile.TarInfo(os.fsdecode(b"caf\xe9.md"))
    make_tar(tmp_path / "names.tar", {"x": info, "long/" + "n" * 180 + ".md": b"l"})
    with find(tmp_path / "names.tar", workspace=tmp_path / "w") as discovery:
        for found in discovery:
            found.uri.encode()
            found.place.encode()


def test_passwords(tmp_path: Path) -> None:
    if subprocess.run(["which", "zip"], capture_output=True, check=False).returncode:
        pytest.skip("no zip program to encrypt with: the standard library only reads")
    write(tmp_path, {"secret.md": TEXT, "open.md": b"open"})
    subprocess.run(["zip", "-q", "-P", "opensesame", "x.zip", "secret.md"], cwd=tmp_path, check=True)
    subprocess.run(["zip", "-q", "x.zip", "open.md"], cwd=tmp_path, check=True)
    files = read_all(find(tmp_path / "x.zip", workspace=tmp_path / "w"))
    assert (files["secret.md"][0].reason, files["secret.md"][0].failed) == ("encrypted", True)
    assert "PASSWORDS" in files["secret.md"][0].hint
    assert files["open.md"][1] == b"open"
    for passwords in (("opensesame",), ("wrong", "opensesame"), ("a", "b", "c", "opensesame")):
        known = IngestSettings(passwords=tuple(SecretStr(password) for password in passwords))
        assert read_all(find(tmp_path / "x.zip", workspace=tmp_path / "w", settings=known))["secret.md"][1] == TEXT


def test_a_bad_member_costs_itself_alone(tmp_path: Path) -> None:
    files = {f"{number}.md": os.urandom(3000).hex().encode() for number in range(4)}
    path = make_zip(tmp_path / "x.zip", files)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        data[archive.getinfo("1.md").header_offset + 500] ^= 0xFF
    path.write_bytes(data)
    found = read_all(find(path, workspace=tmp_path / "w"))
    assert found["1.md"][0].reason.startswith("damaged")
    assert {place: content for place, (_, content) in found.items() if content} == {
        k: v for k, v in files.items() if k != "1.md"
    }


def test_a_truncated_tar_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    files = {f"{number}.md": os.urandom(30_000) for number in range(4)}
    path = make_tar(tmp_path / "x.tar.gz", dict(files), "w:gz")
    path.write_bytes(path.read_bytes()[:70_000])
    found = read_all(find(path, workspace=tmp_path / "w"))
    assert [place for place, (one, _) in found.items() if not one.reason] == ["0.md", "1.md"]
    assert any("read as far as it goes" in one.reason and one.failed for one, _ in found.values())


def test_bombs_stop_at_the_limits(tmp_path: Path) -> None:
    small = IngestSettings(max_archive_mb=10, max_file_mb=4)
    total = make_zip(tmp_path / "total.zip", {f"{number}.md": b"\0" * (3 << 20) for number in range(9)})
    files = read_all(find(total, workspace=tmp_path / "w", settings=small))
    assert sum(bool(data) for _, data in files.values()) == 3
    assert any("more than 10 MB" in found.reason and found.failed for found, _ in files.values())
    large = make_zip(tmp_path / "large.zip", {"big.md": b"\0" * (5 << 20), "next.md": b"next"})
    files = read_all(find(large, workspace=tmp_path / "w", settings=small))
    assert (files["big.md"][0].reason, files["next.md"][1]) == ("larger than 4 MB", b"next")
    ratio = make_tar(tmp_path / "ratio.tar.gz", {f"{number}.md": b"\0" * (20 << 20) for number in range(6)}, "w:gz")
    files = read_all(find(ratio, workspace=tmp_path / "w", settings=IngestSettings(max_archive_ratio=100)))
    assert any("100 times its size" in found.reason for found, _ in files.values())
    assert sum(bool(data) for _, data in files.values()) <= 3
    entries = make_zip(tmp_path / "entries.zip", {f"{number}.md": b"x" for number in range(30)})
    files = read_all(find(entries, workspace=tmp_path / "w", settings=IngestSettings(max_archive_entries=20)))
    assert sum(bool(data) for _, data in files.values()) == 20
    nested = make_zip(tmp_path / "nested.zip", {"a.zip": total.read_bytes(), "b.zip": total.read_bytes(), "c.md": b"c"})
    files = read_all(find(nested, workspace=tmp_path / "w", settings=small))
    assert sum(len(data) for _, data in files.values()) <= 10 << 20
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]


def many_entries(path: Path, count: int, *, told: int | None = None, before: bytes = b"", zip64: bool = False) -> Path:
    """A zip whose first entries are files, the rest of its `count` the same again; it says that it has `told`."""
    make_zip(path, {f"{number}.md": b"x" for number in range(3)})
    whole = path.read_bytes()
    size, start = struct.unpack_from("<2L", whole, len(whole) - 10)
    entry = whole[start : start + size // 3]
    directory = whole[start : start + size] + entry * (count - 3)
    told = count if told is None else told
    short = min(told, 0xFFFF)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, len(directory), start, 0)
    if zip64:
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, told, told, len(directory), start)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, start + len(directory), 1)
        end = record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(before + whole[:start] + directory + end)
    return path


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\nexit\n"])  # as in an archive that unpacks itself
@pytest.mark.parametrize("told", [None, 3])
def test_no_more_of_a_directory_is_read_than_entries_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zip64: bool, before: bytes, told: int | None
) -> None:
    path = many_entries(tmp_path / "x.zip", 50_000, told=told, before=before, zip64=zip64)
    held: list[int] = []
    opened = zipfile.ZipFile

    def watched(*args: Any) -> zipfile.ZipFile:
        archive = opened(*args)
        held.append(len(archive.infolist()))
        return archive

    monkeypatch.setattr(zipfile, "ZipFile", watched)
    monkeypatch.setattr(archive, "is_archive", lambda _: True)  # type: ignore[misc]  # what stands before it is not asked about
    for limit, entries in ((20, 20), (100_000, 50_000)):
        held.clear()
        with find(path, workspace=tmp_path / "w", settings=IngestSettings(max_archive_entries=limit)) as discovery:
            found = list(discovery)
        assert held == [entries]
        assert {one.place for one in found if one.place} == {"0.md", "1.md", "2.md"}
        assert any("has more than 20 entries" in one.reason for one in found) == (limit == 20)


def test_a_directory_of_endless_names(tmp_path: Path) -> None:
    """Few entries, each as long as can be: they count for as many as would have their bytes."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("a.md", b"a")
        for number in range(40):
            info = zipfile.ZipInfo(f"{number}.md")
            info.comment = b"c" * 0xFFFF
            made.writestr(info, b"b")
    files = read_all(find(tmp_path / "x.zip", workspace=tmp_path / "w", settings=IngestSettings(max_archive_entries=100)))
    assert files["a.md"][1] == b"a"
    assert 10 < sum(data == b"b" for _, data in files.values()) < 20  # in 1 MB
    assert any("the rest is left out" in found.reason for found, _ in files.values())


def test_headers_of_a_tar_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_tar(tmp_path / "x.tar.gz", {f"{number}.md": b"x" for number in range(200)}, "w:gz")
    held: list[int] = []
    with find(path, workspace=tmp_path / "w") as discovery:
        for found in discovery:
            discovery.release(found)
            # By type alone: to ask all that lives for its class wakes what warns of being asked.
            held.append(sum(type(one) is tarfile.TarInfo and one.name.endswith(".md") for one in gc.get_objects()))
    assert len(held) == 200
    assert max(held) < 5


def test_headers_that_would_fill_the_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1 << 33
    block = header.tobuf(tarfile.GNU_FORMAT)
    packed = gzip.compress(block + b"\0" * (8 << 20))
    (tmp_path / "x.tar.gz").write_bytes(packed)
    ((found, _),) = read_all(find(tmp_path / "x.tar.gz", workspace=tmp_path / "w")).values()
    assert found.failed
    negative = bytearray(tarfile.TarInfo("a.md").tobuf(tarfile.GNU_FORMAT))
    negative[124:136] = b"\xff" * 12
    negative[148:156] = b" " * 8
    negative[148:156] = b"%06o\0 " % sum(negative)
    (tmp_path / "y.tar").write_bytes(bytes(negative) + b"\0" * 1024)
    assert all(found.failed for found, _ in read_all(find(tmp_path / "y.tar", workspace=tmp_path / "w")).values())


def test_empty_and_broken_archives(tmp_path: Path) -> None:
    make_zip(tmp_path / "empty.zip", {})
    make_tar(tmp_path / "empty.tar", {})
    write(tmp_path, {"cut.zip": b"PK\x03\x04 nothing", "cut.tar.gz": b"\x1f\x8b nothing", "no.tar": b"words"})
    assert read_all(find(tmp_path / "empty.zip", tmp_path / "empty.tar", workspace=tmp_path / "w")) == {}
    for name in ("cut.zip", "cut.tar.gz", "no.tar"):
        ((found, _),) = read_all(find(tmp_path / name, workspace=tmp_path / "w")).values()
        assert found.failed, name
        assert "damaged" in found.reason


@cache
def _whole(name: str) -> bytes:
    """An archive's bytes, made once: the time of day stands in them, and compressed they differ in length by it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        files = {"a.md": TEXT * 9, "b/c.md": TEXT, "n.zip": make_zip(Path(folder) / "n.zip", {"d.md": TEXT}).read_bytes()}
        if name == "x.zip":
            return make_zip(path, files).read_bytes()
        return make_tar(path, dict(files), "w:gz" if name.endswith("gz") else "w").read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(["x.zip", "x.tar", "x.tar.gz"]))
def test_mutated_archives_never_break_discovery(tmp_path: Path, data: st.DataObject, name: str) -> None:
    path = tmp_path / name
    content = bytearray(_whole(name))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    for found, inside in read_all(find(path, workspace=tmp_path / "w")).values():
        assert found.reason or inside is not None
        assert zlib.crc32(found.uri.encode()) >= 0
