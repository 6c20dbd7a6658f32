"""Which files an ingest finds, and what it says of folders that it cannot look into and of what is no file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.hosts import find, make_repository, read_all, write

from phidex.errors import InputError, NotFoundError
from phidex.ingest.sources.discover import Found, check_paths, discover, source_id
from phidex.ingest.sources.found import Skips
from phidex.ingest.sources.spool import Spool, locked, safe_name
from phidex.settings import IngestSettings


def found_in(*targets: str | Path, workspace: Path, **more: Any) -> list[Found]:
    with find(*targets, workspace=workspace, **more) as discovery:
        return list(discovery)


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that cannot be read or entered, beside a file; for root too, whom no mode keeps out."""
    folder = tmp_path / "in" / "closed"
    write(folder.parent, {"closed/hidden.md": "hidden", "open.md": "The boiler was replaced in March."})
    scandir, stat, lstat = os.scandir, os.stat, os.lstat

    def guarded_scandir(path: Any = ".") -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def guard(real: Any) -> Any:
        def guarded(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            if not isinstance(path, int) and folder in Path(os.fsdecode(path)).parents:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *args, **kwargs)

        return guarded

    monkeypatch.setattr(os, "scandir", guarded_scandir)
    monkeypatch.setattr(os, "stat", guard(stat))
    monkeypatch.setattr(os, "lstat", guard(lstat))
    return folder


def test_a_folder_that_cannot_be_read_is_found_as_failed(closed: Path, tmp_path: Path) -> None:
    unread = Found(closed, reason="cannot be read: Permission denied", failed=True, hint="check its permissions")
    assert found_in(closed.parent, workspace=tmp_path / "w") == [Found(closed.parent / "open.md"), unread]
    assert found_in(closed, workspace=tmp_path / "w") == [unread]


def test_a_file_in_a_folder_that_cannot_be_entered(closed: Path, tmp_path: Path) -> None:
    (found, other) = found_in(closed / "hidden.md", closed.parent / "open.md", workspace=tmp_path / "w")
    assert (found.reason, found.failed, found.hint) == ("cannot be read: Permission denied", True, "check its permissions")
    assert other.reason == ""


def test_the_order_and_what_is_passed_over(tmp_path: Path) -> None:
    names = ("b.md", "a.md", "z/y.md", "z/x.md", "c/d.md", "c/e.xyz", ".hidden.md", ".git-not/x.md", "node_modules/x.md")
    files: dict[str, str | bytes] = dict.fromkeys(names, "x")
    write(tmp_path / "in", files | {"data/engine.lock": "", "data/x.md": "x", "own/x.md": "x"})
    discovery = discover([tmp_path / "in"], exclude=tmp_path / "in/own", workspace=tmp_path / "w", settings=IngestSettings())
    with discovery:
        found = list(discovery)
    assert [str(one.path.relative_to(tmp_path / "in")) for one in found] == [
        "a.md", "b.md", "c/d.md", "c/e.xyz", "z/x.md", "z/y.md",
    ]  # fmt: skip
    assert [one.path.name for one in found if one.reason] == ["e.xyz"]
    assert not (tmp_path / "w").exists()


def test_every_file_once(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.md": "a", "sub/b.md": "b"})
    (tmp_path / "in/again.md").symlink_to("a.md")
    found = found_in(tmp_path / "in/sub", tmp_path / "in", tmp_path / "in/sub/../a.md", workspace=tmp_path / "w")
    assert [one.path.name for one in found] == ["b.md", "a.md"]


def test_what_is_named_twice_is_told_once(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.md": "a", "sub/b.md": "b"})
    (tmp_path / "link.md").symlink_to("in/a.md")
    named = (tmp_path / "in", tmp_path / "in/a.md", tmp_path / "in/../in", str(tmp_path / "in"), tmp_path / "link.md")
    found = found_in(*named, workspace=tmp_path / "w")
    told = [(one.shown or str(one.path), one.duplicate) for one in found]
    folder = str(tmp_path / "in")
    assert told == [
        (f"{folder}/a.md", False),
        (f"{folder}/sub/b.md", False),
        (f"{folder}/../in", True),
        (str(tmp_path / "link.md"), True),
    ]


@pytest.mark.parametrize("named", [False, True])
def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path, named: bool) -> None:
    folder = tmp_path / "in"
    write(folder, {"a.md": "a", "real/b.md": "b"})
    os.mkfifo(folder / "pipe.md")
    (folder / "round.md").symlink_to("round.md")
    (folder / "gone.md").symlink_to("nothing")
    (folder / "loop").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s.md"))
        targets = [folder / name for name in ("pipe.md", "round.md", "gone.md", "s.md")] if named else [folder]
        discovery = find(*targets, workspace=tmp_path / "w")
        with discovery:
            reasons = {one.path.name: one.reason for one in discovery if one.reason}
    assert reasons == {
        "pipe.md": "not a regular file (a pipe)",
        "round.md": "a symbolic link that leads in a circle",
        "gone.md": "a symbolic link to nothing",
        "s.md": "not a regular file (a socket)",
    }
    if not named:
        assert discovery.skipped["link to a folder"].examples == (str(folder / "loop"),)
    assert [one.reason for one in found_in("/dev/null", workspace=tmp_path / "w")] == ["not a regular file (a device)"]


def test_a_target_that_fails_spoils_no_other(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.md": "a"})
    make_repository(tmp_path / "repo", {"b.md": "b"})
    files = read_all(find(tmp_path / "in", tmp_path / "repo", workspace=tmp_path / "w", ref="main"))
    (failed,) = (one for one, _ in files.values() if one.failed)
    assert failed.reason == f"{tmp_path / 'in'} is not in a git repository"
    assert files["b.md"][1] == b"b"


def test_missing_paths_are_told_before_anything_is_made(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "a"})
    for target in (tmp_path / "none", str(tmp_path / "a.md/b"), "notes:draft.md"):
        with pytest.raises(NotFoundError, match="no such file or folder"):
            find(tmp_path / "a.md", target, workspace=tmp_path / "w")
    with pytest.raises(NotFoundError) as told:
        check_paths([Path("https://example.com/a.pdf")])
    assert "as text" in told.value.hint
    with pytest.raises(InputError, match="ftp"):
        check_paths(["ftp://example.com/a.pdf"])
    check_paths([tmp_path / "a.md", "https://example.com/a.pdf", "git@example.com:a/b.git"])
    assert not (tmp_path / "w").exists()


def test_ids_are_of_collection_and_uri() -> None:
    assert source_id("c", "file:///a.md") == source_id("c", "file:///a.md")
    assert len({source_id(c, u) for c in ("c", "d") for u in ("file:///a.md", "file:///b.md")}) == 4


def test_the_spool_is_gone_afterwards_however_much_was_read(tmp_path: Path) -> None:
    make_repository(tmp_path / "repo", {f"{number}.md": "x" for number in range(5)})
    discovery = find(tmp_path / "repo", workspace=tmp_path / "w", ref="HEAD")
    with discovery:
        assert next(iter(discovery)).path.exists()
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]
    assert list(discovery) == []


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    living = Spool(tmp_path)
    path = living.write("b.md", [b"mine"])
    script = "import os, sys, pathlib; from phidex.ingest.sources.spool import Spool; "
    script += "Spool(pathlib.Path(sys.argv[1])).write('a.md', [b'left']); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 9
    assert len(list((tmp_path / "spool").iterdir())) == 3
    later = Spool(tmp_path)
    later.write("c.md", [b"x"])
    assert len(list((tmp_path / "spool").iterdir())) == 3  # the lock, the living one and the new one
    assert path.read_bytes() == b"mine"
    living.release(tmp_path / "spool/.lock")  # not its own: left alone
    living.release(path)
    assert not path.exists()
    living.close()
    later.close()


def test_safe_names() -> None:
    for name in (
        b"../../x.md",
        "..",
        ".",
        "",
        "/",
        "a/../b.md",
        b"\xff\xfe.md",
        "n" * 400 + ".pdf",
        "日" * 300 + ".md",
        "\ud800.md",
    ):
        safe = safe_name(name)
        assert safe not in ("", ".", "..")
        assert not set(safe) & set("/\\\0\n")
        assert len(safe.encode()) <= 210
    assert safe_name("n" * 400 + ".pdf").endswith(".pdf")


def test_locks(tmp_path: Path) -> None:
    with locked(tmp_path / "l", shared=True), locked(tmp_path / "l", shared=True, wait_s=0):
        pass
    with locked(tmp_path / "l"):
        assert (tmp_path / "l").exists()


def test_counts_by_rule() -> None:
    skips = Skips()
    for number in range(9):
        skips.add("vendored", f"v{number}")
    skips.add("binary", "b")
    assert {rule: (left.count, len(left.examples)) for rule, left in skips.by_rule().items()} == {
        "vendored": (9, 5),
        "binary": (1, 1),
    }
