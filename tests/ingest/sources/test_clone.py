"""Repositories elsewhere: real git over https and over a stand-in for ssh, up to date, resumed, and never asking."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.ingest.hosts import Host, commit, find, git, make_repository, read_all, serve

from phidex.errors import InputError
from phidex.ingest.sources import submodule
from phidex.ingest.sources.spool import locked
from phidex.settings import IngestSettings


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Host]:
    """A server with one repository, `team/repo.git`, whose certificate git trusts."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with serve(tmp_path) as host:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(host.certificate))
        host.repositories = tmp_path / "served"
        make_repository(source(host), {"README.md": "# One", "docs/a.md": "a", "vendor/big.md": "v" * 5000})
        yield host


def source(host: Host) -> Path:
    """The repository that is served, as its owner works in it."""
    return host.repositories / "team" / "repo.git"


def url(host: Host) -> str:
    return f"{host.url}/git/team/repo.git"


def fetches(host: Host) -> int:
    return sum(line.startswith("POST") for line in host.asked)


def objects(workspace: Path) -> bytes:
    """What git has stored of the clones in a workspace, as one list of ids and sizes."""
    (clone,) = (path for path in (workspace / "git").iterdir() if path.is_dir())
    command = ["git", "--git-dir", str(clone), "cat-file", "--batch-all-objects", "--batch-check"]
    return subprocess.run(command, capture_output=True, check=True, env={**os.environ, "GIT_NO_LAZY_FETCH": "1"}).stdout


def test_a_repository_is_read_without_its_vendored_files(host: Host, tmp_path: Path) -> None:
    files = read_all(discovery := find(url(host), workspace=tmp_path / "w"))
    assert {place: data for place, (_, data) in files.items()} == {"README.md": b"# One", "docs/a.md": b"a"}
    found = files["docs/a.md"][0]
    head = git(source(host), "rev-parse", "HEAD")
    assert found.uri == f"git+{url(host)}#docs/a.md"
    assert found.shown == f"{url(host)}#docs/a.md"
    assert dict(found.metadata) == {
        "commit": head,
        "branch": "main",
        "remote": url(host),
        "path": "docs/a.md",
        "blob": git(source(host), "rev-parse", "HEAD:docs/a.md"),
    }
    assert discovery.skipped["vendored"].count == 1
    assert b" 5000\n" not in objects(tmp_path / "w")  # nobody asked for what is left out anyway
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]


def test_the_next_ingest_fetches_what_is_new(host: Host, tmp_path: Path) -> None:
    read_all(find(url(host), workspace=tmp_path / "w"))
    before = fetches(host)
    first = read_all(find(url(host), workspace=tmp_path / "w"))
    assert fetches(host) == before + 1  # one question what there is, no fetch
    second = commit(source(host), {"docs/b.md": "b", "docs/a.md": "changed"})
    files = read_all(find(url(host), workspace=tmp_path / "w"))
    assert files["docs/b.md"][1] == b"b"
    assert files["docs/a.md"][1] == b"changed"
    assert files["docs/a.md"][0].uri == first["docs/a.md"][0].uri
    assert {found.metadata["commit"] for found, _ in files.values()} == {second}
    assert files["README.md"][0].metadata["blob"] == first["README.md"][0].metadata["blob"]


def test_refs_of_every_kind(host: Host, tmp_path: Path) -> None:
    first = git(source(host), "rev-parse", "HEAD")
    git(source(host), "tag", "-a", "v1", "-m", "one")
    commit(source(host), {"two.md": "2"})
    git(source(host), "checkout", "-q", "-b", "feature/x")
    third = commit(source(host), {"three.md": "3"})
    git(source(host), "checkout", "-q", "main")
    middle = commit(source(host), {"four.md": "4"})
    commit(source(host), {"five.md": "5"})
    for ref, commit_id, branch in (
        ("v1", first, ""), ("feature/x", third, "feature/x"), ("refs/heads/feature/x", third, "feature/x"),
        (first, first, ""), (middle, middle, ""), (third[:9], third, ""), (middle[:9], middle, ""),
    ):  # fmt: skip
        found = read_all(find(url(host), workspace=tmp_path / "w", ref=ref))["README.md"][0]
        assert (found.metadata["commit"], found.metadata.get("branch", "")) == (commit_id, branch), ref
    ((missing, _),) = read_all(find(url(host), workspace=tmp_path / "w", ref="feature/y")).values()
    assert missing.failed
    assert missing.hint == "did you mean feature/x?"
    ((missing, _),) = read_all(find(url(host), workspace=tmp_path / "w", ref="0" * 40)).values()
    assert missing.failed


def test_sparse_paths(host: Host, tmp_path: Path) -> None:
    commit(source(host), {"src/large.md": "s" * 7000})
    assert list(read_all(find(url(host), workspace=tmp_path / "w", only=["docs"]))) == ["docs/a.md"]
    assert b" 7000\n" not in objects(tmp_path / "w")
    ((nothing, _),) = read_all(find(url(host), workspace=tmp_path / "w", only=["doc"])).values()
    assert nothing.failed
    assert "there is nothing under doc" in nothing.reason


def test_attributes_are_heard_before_contents_are_left_behind(host: Host, tmp_path: Path) -> None:
    commit(source(host), {".gitattributes": "vendor/ours/** -linguist-vendored\n", "vendor/ours/o.md": "ours"})
    files = read_all(find(url(host), workspace=tmp_path / "w"))
    assert files["vendor/ours/o.md"][1] == b"ours"
    assert "vendor/big.md" not in files
    assert not any(found.failed for found, _ in files.values())


def test_credentials_are_used_and_never_kept(host: Host, tmp_path: Path) -> None:
    host.login = "jo:s3cret"
    ((refused, _),) = read_all(find(url(host), workspace=tmp_path / "w")).values()
    assert refused.failed
    assert "credentials" in refused.reason
    assert "credential helper" in refused.hint
    with_login = url(host).replace("https://", "https://jo:s3cret@")
    files = read_all(find(with_login, workspace=tmp_path / "w"))
    assert files["README.md"][1] == b"# One"
    assert files["README.md"][0].uri == f"git+{url(host)}#README.md"
    wrong = read_all(find(with_login.replace("s3cret", "wr0ng"), workspace=tmp_path / "w"))
    assert all(found.failed for found, _ in wrong.values())
    for text in (str(files), str(wrong), repr(find(with_login, workspace=tmp_path / "w"))):
        assert "s3cret" not in text
        assert "wr0ng" not in text
    for path in (tmp_path / "w").rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes()


def test_the_users_own_credential_helper_is_used(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.login = "jo:s3cret"
    (tmp_path / "config").write_text('[credential]\n\thelper = "!f() { echo username=jo; echo password=s3cret; }; f"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert "README.md" in read_all(find(url(host), workspace=tmp_path / "w"))


GUARDED = IngestSettings(guard_repositories=True)


def test_guarded_addresses_do_not_lead_into_private_networks(host: Host, tmp_path: Path) -> None:
    for target in (url(host), "git@localhost:team/repo.git"):
        ((found, _),) = read_all(find(target, workspace=tmp_path / "w", settings=GUARDED)).values()
        assert found.failed
        assert "leads to a private address" in found.reason or "https alone" in found.reason
    assert host.asked == []
    trusting = IngestSettings(guard_repositories=True, allow_private_urls=True)
    assert "README.md" in read_all(find(url(host), workspace=tmp_path / "w", settings=trusting))


def test_guarded_repositories_are_read_without_the_users_credentials(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by helpers, nor by a .netrc, nor by a program that asks; what stands in the address is used."""
    monkeypatch.setattr(submodule, "resolve", lambda *_, **__: ["127.0.0.1"])  # type: ignore[misc]  # stands for a public one
    with_submodule(host, f"{host.url}/git/team/sub.git")
    settings = GUARDED.model_copy(update={"submodules": True})
    assert "libs/sub/sub.md" in read_all(find(url(host), workspace=tmp_path / "w", settings=settings))
    home = tmp_path / "home"
    home.mkdir()
    helper = '[credential]\n\thelper = "!f() { echo username=jo; echo password=s3cret; }; f"\n'
    (home / ".gitconfig").write_text(helper)
    (home / ".netrc").write_text("machine localhost login jo password s3cret\n")
    program = home / "ask"
    program.write_text("#!/bin/sh\ncase $1 in User*) echo jo;; *) echo s3cret;; esac\n")
    program.chmod(0o700)
    for name, value in {"HOME": home, "GIT_ASKPASS": program, "GIT_CONFIG_GLOBAL": home / ".gitconfig"}.items():
        monkeypatch.setenv(name, str(value))
    host.login, host.headers = "jo:s3cret", []
    ((refused, _),) = read_all(find(url(host), workspace=tmp_path / "w", settings=settings)).values()
    assert refused.failed
    assert "credentials" in refused.reason
    assert not [headers for headers in host.headers if "authorization" in headers]
    named = url(host).replace("://", "://jo:s3cret@")
    assert "README.md" in read_all(find(named, workspace=tmp_path / "w", settings=GUARDED))
    assert "README.md" in read_all(find(url(host), workspace=tmp_path / "w")), "unguarded, they are used"


def test_an_empty_repository_and_none_at_all(host: Host, tmp_path: Path) -> None:
    git(host.repositories, "init", "-q", "--bare", "empty.git")
    ((empty, _),) = read_all(find(f"{host.url}/git/empty.git", workspace=tmp_path / "w")).values()
    assert (empty.reason, empty.failed) == ("the repository is empty", False)
    ((missing, _),) = read_all(find(f"{host.url}/git/missing.git", workspace=tmp_path / "w")).values()
    assert missing.failed
    assert "no such repository" in missing.reason


def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    files = read_all(find("https://localhost:9/a.git", "git+https://localhost:9/b", workspace=tmp_path / "w"))
    assert [found.failed for found, _ in files.values()] == [True, True]
    assert all("cannot be reached" in found.reason for found, _ in files.values())


def test_a_broken_clone_is_made_anew(host: Host, tmp_path: Path) -> None:
    read_all(find(url(host), workspace=tmp_path / "w"))
    (clone,) = (path for path in (tmp_path / "w/git").iterdir() if path.is_dir())
    for pack in clone.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:-30])
    (clone / "HEAD").unlink()
    assert "README.md" in read_all(find(url(host), workspace=tmp_path / "w"))


def test_a_killed_fetch_is_gone_on_from(host: Host, tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from phidex.ingest.sources.discover import discover
        from phidex.settings import IngestSettings
        with discover([sys.argv[1]], exclude=None, workspace=Path(sys.argv[2]), settings=IngestSettings()) as found:
            print(len(list(found)))
    """)
    for delay_s in (0.25, 0.4, 0.55, 0.7):
        process = subprocess.Popen([sys.executable, "-c", script, url(host), str(tmp_path / "w")], start_new_session=True)
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    (tmp_path / "w/git").mkdir(parents=True, exist_ok=True)
    for clone in (path for path in (tmp_path / "w/git").iterdir() if path.is_dir()):
        (clone / "shallow.lock").touch()  # what git leaves when it is killed itself
    assert read_all(find(url(host), workspace=tmp_path / "w"))["README.md"][1] == b"# One"
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]


def test_two_runs_wait_for_each_other(host: Host, tmp_path: Path) -> None:
    outcomes: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(list(read_all(find(url(host), workspace=tmp_path / "w")))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [["README.md", "docs/a.md"]] * 4
    (lock,) = (tmp_path / "w/git").glob("*.lock")
    with locked(lock):
        settings = IngestSettings().model_copy(update={"git_timeout_s": 0.2})
        ((found, _),) = read_all(find(url(host), workspace=tmp_path / "w", settings=settings)).values()
    assert found.reason == "another ingest is fetching the same repository"


def test_submodules_are_read_when_asked_for(host: Host, tmp_path: Path) -> None:
    make_repository(host.repositories / "team/sub.git", {"sub.md": "sub"})
    tree = source(host)
    (tree / ".gitmodules").write_text(
        '[submodule "near"]\n\tpath = libs/near\n\turl = ../sub.git\n'
        '[submodule "far"]\n\tpath = libs/far\n\turl = ext::sh -c "touch /tmp/x"\n'
    )
    oid = git(host.repositories / "team/sub.git", "rev-parse", "HEAD")
    for name in ("near", "far"):
        git(tree, "update-index", "--add", "--cacheinfo", f"160000,{oid},libs/{name}")
    git(tree, "add", ".gitmodules")
    git(tree, "commit", "-q", "-m", "submodules")
    discovery = find(url(host), workspace=tmp_path / "w")
    assert "libs/near/sub.md" not in read_all(discovery)
    assert discovery.skipped["submodule"].count == 2
    files = read_all(find(url(host), workspace=tmp_path / "w", settings=IngestSettings(submodules=True)))
    found, data = files["libs/near/sub.md"]
    assert data == b"sub"
    assert found.uri == f"git+{host.url}/git/team/sub.git#sub.md"
    (far,) = (found for found, _ in files.values() if found.failed)
    assert "not taken" in far.reason or "not the address" in far.reason


def with_submodule(host: Host, address: str) -> None:
    """The repository that is served, with a submodule at `libs/sub`."""
    oid = make_repository(host.repositories / "team/sub.git", {"sub.md": "sub"})
    tree = source(host)
    (tree / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = libs/sub\n\turl = {address}\n')
    git(tree, "update-index", "--add", "--cacheinfo", f"160000,{oid},libs/sub")
    git(tree, "add", ".gitmodules")
    git(tree, "commit", "-q", "-m", "submodule")


def test_submodules_do_not_lead_into_private_networks(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user vouches for what was named alone; a second server here stands for another one in the same network."""
    (tmp_path / "other").mkdir()
    with serve(tmp_path / "other") as other:
        certificates = tmp_path / "both.pem"
        certificates.write_bytes(host.certificate.read_bytes() + other.certificate.read_bytes())
        for variable in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
            monkeypatch.setenv(variable, str(certificates))
        other.repositories = host.repositories
        with_submodule(host, f"{other.url}/git/team/sub.git")
        files = read_all(find(url(host), workspace=tmp_path / "w", settings=IngestSettings(submodules=True)))
        (failed,) = (found for found, _ in files.values() if found.failed)
        assert failed.reason == "submodule: localhost leads to a private address"
        assert "PHIDEX_INGEST__ALLOW_PRIVATE_URLS" in failed.hint
        assert other.asked == []
        trusting = IngestSettings(submodules=True, allow_private_urls=True)
        assert read_all(find(url(host), workspace=tmp_path / "w", settings=trusting))["libs/sub/sub.md"][1] == b"sub"


def test_a_submodule_that_is_sent_elsewhere(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redirects are followed as far as they lead to public addresses; here, one port stands for a public host."""
    (tmp_path / "other").mkdir()
    with serve(tmp_path / "other") as other:
        certificates = tmp_path / "both.pem"
        certificates.write_bytes(host.certificate.read_bytes() + other.certificate.read_bytes())
        for variable in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"):
            monkeypatch.setenv(variable, str(certificates))
        other.repositories = host.repositories
        public = {int(other.url.rpartition(":")[2])}

        def resolve(name: str, port: int, *, allow_private: bool) -> list[str]:
            if port not in public:
                raise InputError(f"{name} leads to a private address")
            return ["127.0.0.1"]

        monkeypatch.setattr(submodule, "resolve", resolve)
        with_submodule(host, f"{other.url}/moved")
        settings = IngestSettings(submodules=True)
        other.pages["/moved/info/refs"] = (301, {"Location": f"{host.url}/git/team/sub.git/info/refs"}, b"")
        before = len(host.asked)
        files = read_all(find(url(host), workspace=tmp_path / "w", settings=settings))
        (failed,) = (found for found, _ in files.values() if found.failed)
        assert failed.reason == "submodule: localhost leads to a private address"
        assert not [line for line in host.asked[before:] if "sub.git" in line]
        other.pages["/moved/info/refs"] = (301, {"Location": "/git/team/sub.git/info/refs"}, b"")
        files = read_all(find(url(host), workspace=tmp_path / "w", settings=settings))
        found, data = files["libs/sub/sub.md"]
        assert (data, found.uri) == (b"sub", f"git+{other.url}/moved.git#sub.md")
        other.pages["/moved/info/refs"] = (301, {"Location": "/moved/info/refs"}, b"")
        files = read_all(find(url(host), workspace=tmp_path / "w2", settings=settings))
        assert any("more than 5 redirects" in found.reason for found, _ in files.values())


def test_git_is_held_to_the_addresses_that_were_checked(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git would find by looking the name up itself does not count."""
    with_submodule(host, host.url.replace("localhost", "host.invalid") + "/git/team/sub.git")
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")  # its certificate is for another name
    monkeypatch.setattr(submodule, "resolve", lambda *_, **__: ["127.0.0.1"])  # type: ignore[misc]
    files = read_all(find(url(host), workspace=tmp_path / "w", settings=IngestSettings(submodules=True)))
    assert files["libs/sub/sub.md"][1] == b"sub"


@pytest.mark.parametrize("variant", ["ssh", "simple"])  # with protocol version 2, and without
def test_over_ssh(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/ssh.log\nfor last; do :; done\nexec sh -c "$last"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(stand_in))
    monkeypatch.setenv("GIT_SSH_VARIANT", variant)
    git(source(host), "config", "uploadpack.allowFilter", "true")
    first = read_all(find(f"git@example.com:{source(host)}", workspace=tmp_path / "w"))
    assert first["README.md"][1] == b"# One"
    commit(source(host), {"more.md": "more"})
    files = read_all(find(f"git@example.com:{source(host)}", workspace=tmp_path / "w"))
    assert files["README.md"][0].uri == f"git+ssh://example.com{source(host)}#README.md"
    assert files["README.md"][0].metadata["remote"] == f"ssh://git@example.com{source(host)}"
    assert files["more.md"][1] == b"more"
    assert "-o BatchMode=yes" in (tmp_path / "ssh.log").read_text()


def test_hooks_and_templates_of_the_user_do_not_run(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = tmp_path / "templates/hooks"
    hooks.mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    (tmp_path / "config").write_text(f"[init]\n\ttemplateDir = {hooks.parent}\n[core]\n\thooksPath = {hooks}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert "README.md" in read_all(find(url(host), workspace=tmp_path / "w"))
    assert not (tmp_path / "ran").exists()
    shutil.rmtree(tmp_path / "w")
