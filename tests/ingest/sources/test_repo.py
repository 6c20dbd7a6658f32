"""Working trees and commits: which files are found, what is recorded of them, and that a repository can run nothing."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
from tests.ingest.hosts import commit, find, git, make_repository, read_all, write

from phidex.ingest.sources.discover import discover
from phidex.settings import IngestSettings

REMOTE = "https://jo:s3cret@github.com/owner/repo.git"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree with a bit of everything."""
    top = tmp_path / "tree"
    files: dict[str, str | bytes] = {
        "README.md": "# Boiler",
        "LICENSE": "Do what you like.",
        "docs/guide.md": "Open the valve.",
        "docs/data.csv": "a,b\n1,2\n",
        ".github/CONTRIBUTING.md": "Be kind.",
        ".gitignore": "build/\n*.log\n",
        "package-lock.json": "{}",
        "vendor/lib/README.md": "theirs",
        "api.json": '{"//": 1}',
        "picture.raw": b"\0\1\2",
    }
    make_repository(top, files)
    git(top, "remote", "add", "origin", REMOTE)
    write(
        top, {"build/out.md": "built", "run.log": "log", "new.md": "new", ".venv/lib.md": "hidden", "docs/guide.md": "Changed."}
    )
    return top


def test_a_working_tree_is_read_as_it_lies(tree: Path, tmp_path: Path) -> None:
    files = read_all(discovery := find(tree, workspace=tmp_path / "w"))
    assert list(files) == [
        ".github/CONTRIBUTING.md", "LICENSE", "README.md", "api.json", "docs/data.csv", "docs/guide.md", "new.md",
    ]  # fmt: skip
    assert files["docs/guide.md"][1] == b"Changed."
    assert all(found.uri == "" and not found.keep for found, _ in files.values())
    assert files["README.md"][0].path == tree / "README.md"
    skipped = {rule: (left.count, left.examples) for rule, left in discovery.skipped.items()}
    assert skipped["lock file"] == (1, (str(tree / "package-lock.json"),))
    assert skipped["vendored"] == (1, (str(tree / "vendor/lib/README.md"),))
    assert skipped["hidden"] == (1, (str(tree / ".venv/lib.md"),))
    assert skipped["unknown kind"][0] == 2  # picture.raw and .gitignore
    assert not (tmp_path / "w").exists()  # nothing had to be put aside


def test_a_file_is_of_a_commit_only_as_the_commit_holds_it(tree: Path, tmp_path: Path) -> None:
    head = git(tree, "rev-parse", "HEAD")
    write(tree, {"staged.md": "staged", "docs/data.csv": "a,b\r\n1,2\r\n"})
    git(tree, "add", "staged.md")
    files = read_all(find(tree, workspace=tmp_path / "w"))
    blob = git(tree, "rev-parse", "HEAD:README.md")
    assert dict(files["README.md"][0].metadata) == {
        "commit": head,
        "branch": "main",
        "remote": "https://github.com/owner/repo.git",
        "path": "README.md",
        "blob": blob,
        "web": f"https://github.com/owner/repo/blob/{head}/README.md#L{{start}}-L{{end}}",
    }
    for name in ("docs/guide.md", "new.md", "staged.md"):
        metadata = files[name][0].metadata
        assert "commit" not in metadata
        assert "web" not in metadata
        assert metadata["modified"] == "true"
    assert files["docs/guide.md"][0].metadata["blob"] == git(tree, "hash-object", "docs/guide.md")
    assert files["docs/data.csv"][0].metadata["commit"] == head  # git turns line ends on the way
    assert "s3cret" not in str(files)


def test_an_edit_of_the_same_size_and_second_is_seen(tree: Path, tmp_path: Path) -> None:
    path = tree / "README.md"
    before = path.stat()
    path.write_text("# Burner")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as another program may do
    index = tree / ".git/index"
    os.utime(index, ns=(before.st_mtime_ns, before.st_mtime_ns))  # written in the same tick: git calls it racy
    assert read_all(find(path, workspace=tmp_path))["README.md"][0].metadata["modified"] == "true"


def test_a_subfolder_and_files_that_are_named(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = read_all(find(tree / "docs", workspace=tmp_path / "w"))
    assert list(files) == ["docs/data.csv", "docs/guide.md"]
    whole = read_all(find(tree, workspace=tmp_path / "w"))
    assert files["docs/data.csv"][0] == whole["docs/data.csv"][0]
    monkeypatch.chdir(tree / "docs")
    named = read_all(find("data.csv", "../run.log", "../package-lock.json", workspace=tmp_path / "w"))
    assert named["docs/data.csv"][0].metadata == whole["docs/data.csv"][0].metadata
    assert named["docs/data.csv"][0].path == Path("data.csv")
    assert list(named) == ["docs/data.csv", "run.log", "package-lock.json"]  # no rule holds against a name


def test_an_ignored_folder_that_is_named_is_read(tree: Path, tmp_path: Path) -> None:
    files = read_all(find(tree / "build", workspace=tmp_path / "w"))
    assert [found.path for found, _ in files.values()] == [tree / "build/out.md"]


def test_only_some_paths(tree: Path, tmp_path: Path) -> None:
    for only, names in (
        (["docs/"], ["docs/data.csv", "docs/guide.md"]),
        (["*.csv", "README.md"], ["README.md", "docs/data.csv"]),
    ):
        assert list(read_all(find(tree, workspace=tmp_path / "w", only=only))) == names
        assert list(read_all(find(tree, workspace=tmp_path / "w", only=only, ref="main"))) == names


def test_attributes_of_the_repository_win(tmp_path: Path) -> None:
    marks = "vendor/ours/** -linguist-vendored\ndist.md linguist-generated\napi.pb.json linguist-generated=true\n"
    files: dict[str, str | bytes] = {".gitattributes": marks, "vendor/ours/a.md": "a", "vendor/b.md": "b", "dist.md": "d"}
    make_repository(tmp_path / "r", files | {"api.pb.json": "{}"})
    for ref in ("", "HEAD"):
        discovery = find(tmp_path / "r", workspace=tmp_path / "w", ref=ref)
        assert list(read_all(discovery)) == ["vendor/ours/a.md"]
        assert {rule: left.count for rule, left in discovery.skipped.items() if rule != "unknown kind"} == {
            "generated": 2,
            "vendored": 1,
        }


def test_a_ref_of_a_local_repository(tree: Path, tmp_path: Path) -> None:
    first = git(tree, "rev-parse", "HEAD")
    git(tree, "tag", "v1")
    commit(tree, {"docs/late.md": "late"})
    before = {path: path.stat().st_mtime_ns for path in sorted(tree.rglob("*"))}
    files = read_all(find(tree, workspace=tmp_path / "w", ref="v1"))
    assert list(files) == [".github/CONTRIBUTING.md", "LICENSE", "README.md", "api.json", "docs/data.csv", "docs/guide.md"]
    found, data = files["docs/guide.md"]
    assert data == b"Open the valve."
    assert found.uri == f"git+{tree.as_uri()}#docs/guide.md"
    assert found.keep
    assert found.metadata["commit"] == first
    assert "branch" not in found.metadata
    assert pickle.loads(pickle.dumps(found)) == found
    assert {path: path.stat().st_mtime_ns for path in sorted(tree.rglob("*"))} == before  # nothing of the user's was touched
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]
    (one,) = read_all(find(tree / "docs/guide.md", workspace=tmp_path / "w", ref="main")).values()
    assert one[1] == b"Changed."
    assert one[0].metadata["branch"] == "main"


@pytest.mark.parametrize("ref", ["nope", "-x", "HEAD:README.md", "--output=/tmp/x", "main\n"])
def test_a_ref_that_is_none(tree: Path, tmp_path: Path, ref: str) -> None:
    (found, _), = read_all(find(tree, workspace=tmp_path / "w", ref=ref)).values()  # fmt: skip
    assert found.failed
    assert "branch, tag or commit" in found.reason


def test_nested_repositories_submodules_and_worktrees(tree: Path, tmp_path: Path) -> None:
    make_repository(tmp_path / "sub", {"sub.md": "sub"})
    git(tree, "submodule", "add", "-q", str(tmp_path / "sub"), "libs/sub")
    commit(tree, {})
    make_repository(tree / "lies/inside", {"inside.md": "inside"})
    git(tree, "worktree", "add", "-q", str(tmp_path / "second"), "HEAD~1")
    discovery = find(tree, workspace=tmp_path / "w")
    files = read_all(discovery)
    assert "inside.md" in files
    assert "sub.md" not in files
    assert discovery.skipped["submodule"].count == 1
    asked = read_all(find(tree, workspace=tmp_path / "w", settings=IngestSettings(submodules=True)))
    assert asked["sub.md"][0].path == tree / "libs/sub/sub.md"
    second = read_all(find(tmp_path / "second", workspace=tmp_path / "w"))
    assert second["README.md"][0].metadata["commit"] == git(tree, "rev-parse", "HEAD~1")
    assert "commit" in second["docs/guide.md"][0].metadata


def test_a_plain_folder_that_holds_repositories(tmp_path: Path) -> None:
    write(tmp_path / "all", {"plain.md": "p", "b/plain.md": "p"})
    make_repository(tmp_path / "all/a", {"x.md": "x", ".gitignore": "y.md"})
    write(tmp_path / "all/a", {"y.md": "ignored"})
    with find(tmp_path / "all", workspace=tmp_path / "w") as discovery:
        assert [found.path.relative_to(tmp_path / "all") for found in discovery] == [
            Path("plain.md"), Path("a/x.md"), Path("b/plain.md"),
        ]  # fmt: skip
    off = read_all(find(tmp_path / "all/a", workspace=tmp_path / "w", settings=IngestSettings(git=False)))
    assert list(off) == ["x.md", "y.md"]


def test_a_bare_an_empty_and_a_shallow_repository(tree: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(tree), "bare.git")
    bare = read_all(find(tmp_path / "bare.git", workspace=tmp_path / "w"))
    assert bare["README.md"][0].uri == f"git+{(tmp_path / 'bare.git').as_uri()}#README.md"
    assert bare["README.md"][0].metadata["branch"] == "main"
    git(tmp_path, "init", "-q", "empty")
    assert read_all(find(tmp_path / "empty", workspace=tmp_path / "w")) == {}
    git(tmp_path, "init", "-q", "--bare", "none.git")
    ((found, _),) = read_all(find(tmp_path / "none.git", workspace=tmp_path / "w")).values()
    assert (found.reason, found.failed) == ("the repository is empty", False)
    write(tmp_path / "empty", {"first.md": "not committed"})
    assert read_all(find(tmp_path / "empty", workspace=tmp_path / "w"))["first.md"][0].metadata["modified"] == "true"
    commit(tree, {"x.md": "x"})
    git(tmp_path, "clone", "-q", "--depth=1", tree.as_uri(), "shallow")
    assert "commit" in read_all(find(tmp_path / "shallow", workspace=tmp_path / "w"))["x.md"][0].metadata


def test_names_of_any_bytes(tmp_path: Path) -> None:
    odd = [
        b"caf\xe9.md",
        b"two\nlines.md",
        b" blank .md",
        b'q"uote.md',
        b":(glob)x.md",
        "日本語.md".encode(),
        b"-dash.md",
        b"a#b%c.md",
    ]
    top = tmp_path / "odd"
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    for name in odd:
        (top / os.fsdecode(name)).write_bytes(name)
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "odd")
    for ref in ("", "HEAD"):
        with find(top, workspace=tmp_path / "w", ref=ref) as discovery:
            found = [(one, one.path.read_bytes()) for one in discovery]
        assert sorted(data for _, data in found) == sorted(odd)
        for one, data in found:
            assert one.metadata["commit"]
            assert one.place == data.decode("utf-8", "replace")
            one.uri.encode()
            one.shown.encode("utf-8", "surrogateescape")
    sub = top / ":(top)folder"
    write(sub, {"in.md": "in"})
    assert list(read_all(find(sub, workspace=tmp_path / "w"))) == [":(top)folder/in.md"]


def test_links_never_lead_out(tree: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", {"secret.md": "secret", "guide.md": "secret"})
    (tree / "link.md").symlink_to(tmp_path / "outside/secret.md")
    (tree / "folder").symlink_to(tmp_path / "outside")
    git(tree, "add", "-A")
    shutil.rmtree(tree / "docs")
    (tree / "docs").symlink_to(tmp_path / "outside")  # the index still says that docs/guide.md is a file
    discovery = find(tree, workspace=tmp_path / "w")
    files = read_all(discovery)
    assert not any(b"secret" in data for _, data in files.values())
    assert discovery.skipped["symbolic link"].count >= 3
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "links")
    at_ref = find(tree, workspace=tmp_path / "w", ref="HEAD")
    assert not any(b"secret" in data for _, data in read_all(at_ref).values())
    assert at_ref.skipped["symbolic link"].count == 3


def test_a_hostile_repository_runs_nothing(tree: Path, tmp_path: Path) -> None:
    mark, script = tmp_path / "ran", tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\necho $0 $@ >> {mark}\ncat\n")
    script.chmod(0o755)
    evil = str(script)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc"):
        (tree / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(script, tree / ".git/hooks" / hook)
    for key, value in {
        "core.fsmonitor": evil,
        "core.sshCommand": evil,
        "core.pager": evil,
        "core.editor": evil,
        "core.askPass": evil,
        "core.alternateRefsCommand": evil,
        "core.gitProxy": evil,
        "core.hooksPath": str(tree / ".git/hooks"),
        "credential.helper": evil,
        "diff.external": evil,
        "gpg.program": evil,
        "log.showSignature": "true",
        "filter.x.clean": evil,
        "filter.x.smudge": evil,
        "filter.x.process": evil,
        "filter.x.required": "true",
        "diff.x.textconv": evil,
        "diff.x.command": evil,
        "pager.ls-files": evil,
        "alias.ls-files": f"!{evil}",
        "alias.check-attr": f"!{evil}",
        "uploadpack.packObjectsHook": evil,
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{evil}",
        "remote.origin.vcs": "ext",
        "protocol.ext.allow": "always",
        "extensions.partialClone": "origin",
        "core.splitIndex": "true",
        "core.untrackedCache": "true",
    }.items():
        git(tree, "config", key, value)
    git(tree, "config", "core.repositoryFormatVersion", "1")
    write(tree, {".gitattributes": "* filter=x diff=x\n", "README.md": "# Boiled"})
    blob = git(tree, "-c", "core.fsmonitor=false", "rev-parse", "HEAD:docs/data.csv")
    (tree / ".git/objects" / blob[:2] / blob[2:]).unlink()  # a lazy fetch would bring it
    mark.unlink(missing_ok=True)
    assert len(read_all(find(tree, workspace=tmp_path / "w"))) == 7
    files = read_all(find(tree, workspace=tmp_path / "w", ref="HEAD"))
    assert not mark.exists(), mark.read_text()
    assert files["docs/data.csv"][0].failed
    assert files["docs/data.csv"][0].reason == "its content is not in the repository"
    assert not list((tree / ".git").glob("sharedindex*"))
    with pytest.raises(AssertionError, match="filter"):
        git(tree, "status")
    assert mark.exists()  # the trap itself works


def test_variables_of_the_environment_do_not_point_elsewhere(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = list(read_all(find(tree, workspace=tmp_path / "w")))
    make_repository(tmp_path / "other", {"other.md": "other"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other/.git/index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.worktree")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "/")
    monkeypatch.setenv("GIT_TRACE", "2")
    assert list(read_all(find(tree, workspace=tmp_path / "w"))) == expected


def test_without_git(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ((found, _),) = read_all(find(tree, workspace=tmp_path / "w")).values()
    assert (found.reason, found.failed) == ("git is not installed", True)
    assert "PHIDEX_INGEST__GIT=false" in found.hint
    (named,) = read_all(find(tree / "README.md", workspace=tmp_path / "w")).values()
    assert named[1] == b"# Boiler"


def test_our_data_folder_in_a_working_tree_is_passed_over(tree: Path, tmp_path: Path) -> None:
    write(tree, {"data/engine.lock": "", "data/blobs/x.md": "ours", "excluded/y.md": "ours too", "kept/z.md": "theirs"})
    discovery = discover([tree], exclude=tree / "excluded", workspace=tmp_path / "w", settings=IngestSettings())
    assert [place for place in read_all(discovery) if "/" in place and place[0] in "dek"] == [
        "docs/data.csv", "docs/guide.md", "kept/z.md",
    ]  # fmt: skip


def test_what_cannot_be_read_and_what_is_gone(tree: Path, tmp_path: Path) -> None:
    (tree / "api.json").unlink()
    (tree / "README.md").unlink()
    os.mkfifo(tree / "README.md")
    files = read_all(find(tree, workspace=tmp_path / "w"))
    assert "api.json" not in files
    assert files["README.md"][0].reason == "not a regular file"


def test_pointers_to_large_files_are_left_out(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    make_repository(tmp_path / "r", {"big.pdf": pointer, "a.md": "a"})
    for ref in ("", "HEAD"):
        discovery = find(tmp_path / "r", workspace=tmp_path / "w", ref=ref)
        assert list(read_all(discovery)) == ["a.md"]
        assert discovery.skipped["LFS pointer"].count == 1


def test_a_file_that_is_too_large_costs_itself_alone(tmp_path: Path) -> None:
    make_repository(tmp_path / "r", {"a.md": "a", "big.md": b"x" * (2 << 20), "c.md": "c"})
    files = read_all(find(tmp_path / "r", workspace=tmp_path / "w", ref="HEAD", settings=IngestSettings(max_file_mb=1)))
    assert [data for _, data in files.values()] == [b"a", b"", b"c"]
    assert [found.reason for found, _ in files.values()] == ["", "larger than 1 MB", ""]
