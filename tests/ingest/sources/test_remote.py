"""Which addresses name repositories, what is kept of them, and where their files are on the web."""

from __future__ import annotations

from pathlib import Path

import pytest

from phidex.errors import InputError
from phidex.ingest.sources.discover import check_paths
from phidex.ingest.sources.remote import clean_message, clean_remote, parse_git_url, target_kind, web_link


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("https://example.com/team/repo.git", "git"),
        ("https://github.com/owner/repo", "git"),
        ("https://github.com/owner/repo/", "git"),
        ("https://github.com/owner/repo/raw/main/a.pdf", "url"),
        ("https://github.com/owner", "url"),
        ("https://git.sr.ht/~jo/repo", "git"),
        ("https://dev.azure.com/org/project/_git/repo", "git"),
        ("https://example.com/a.pdf", "url"),
        ("http://example.com/a.pdf", "url"),
        ("https://example.com", "url"),
        ("git+https://example.com/repo", "git"),
        ("git+ssh://git@example.com/repo", "git"),
        ("ssh://git@example.com:2222/repo", "git"),
        ("git@github.com:owner/repo.git", "git"),
        ("docs", "path"),
        ("./a:b.md", "path"),
        ("notes:draft.md", "path"),
        ("/abs/path.git", "path"),
        (Path("git@example.com:x"), "path"),
    ],
)
def test_what_a_target_is(target: str | Path, kind: str) -> None:
    assert target_kind(target) == kind


@pytest.mark.parametrize(
    "target",
    [
        "git://example.com/a.git",
        "file:///etc",
        "ext::sh -c touch% /tmp/x",
        "fd::17",
        "ftp://example.com/a.pdf",
        "http://example.com/a.git",
        "git+http://example.com/a",
        "git+file:///srv/a.git",
        "git+ext::sh",
        "ssh://-oProxyCommand=touch/x",
        "ssh://git@-oProxyCommand=x/y",
        "ssh://-u@example.com/y",
        "git@-oProxyCommand=x:y",
        "git@example.com:-x/y",
        "https://example.com/a\nb.git",
        "https://example.com/a%0ab.git",
        "https://example.com/.git",
        "https://example.com/../x.git",
        "https://exa mple.com/a.git",
        "https:///a.git",
        "https://example.com:port/a.git",
        "ssh://example.com",
        "javascript://a.git",
        "https://to/ken@example.com/a.git",
        "https://jo:12/34@example.com/a.git",
    ],
)
def test_addresses_that_are_refused(target: str) -> None:
    with pytest.raises(InputError):
        check_paths([target])


def test_targets_that_look_like_options_are_paths() -> None:
    for target in ("--upload-pack=touch /tmp/x", "-o"):
        assert target_kind(target) == "path"
        with pytest.raises(InputError, match="no such file"):
            check_paths([target])


@pytest.mark.parametrize(
    ("text", "address", "remote", "uri"),
    [
        ("https://jo:pw@Example.com:443/a/b.git/", "https://example.com/a/b.git", "https://example.com/a/b.git", "git+https://example.com/a/b.git"),
        ("https://token@example.com/a/b", "https://token@example.com/a/b", "https://example.com/a/b", "git+https://example.com/a/b.git"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git", "git@example.com:a/b.git", "git+ssh://example.com/a/b.git"),
        ("git@example.com:/a/b", "ssh://git@example.com/a/b", "ssh://git@example.com/a/b", "git+ssh://example.com/a/b.git"),
        ("git+ssh://jo:pw@example.com:2222/a", "ssh://jo@example.com:2222/a", "ssh://jo@example.com:2222/a", "git+ssh://example.com:2222/a.git"),
        ("https://[2001:db8::1]/a.git", "https://[2001:db8::1]/a.git", "https://[2001:db8::1]/a.git", "git+https://[2001:db8::1]/a.git"),
    ],
)  # fmt: skip
def test_addresses(text: str, address: str, remote: str, uri: str) -> None:
    url = parse_git_url(text)
    assert (url.address, url.remote, url.uri) == (address, remote, uri)
    assert "pw" not in repr(url) + url.address + url.remote + url.uri
    assert (url.header is not None) == (":pw@" in text and url.scheme == "https")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://jo:s3cret@example.com/a.git", "https://example.com/a.git"),
        ("https://s3cret@example.com/a.git?token=s3cret#s3cret", "https://example.com/a.git"),
        ("http://jo:s3cret@example.com/a", "http://example.com/a"),
        ("weird://jo:s3:cret@x@example.com/a", "weird://example.com/a"),
        ("https://jo:s3/cret@example.com/a.git", "https://example.com/a.git"),
        ("https://jo:s3?c#ret@example.com/a.git", "https://example.com/a.git"),
        ("https://jo:12/s3cret@example.com/a.git", "https://example.com/a.git"),
        ("https://s3/cret@example.com/a.git", "https://example.com/a.git"),
        ("http://s3/cret@localhost:80/a", "http://localhost:80/a"),
        ("http://example.com/@jo/a.pdf", "http://example.com/@jo/a.pdf"),
        ("http://example.com/a@2.1/b.pdf?user=jo@example.com", "http://example.com/a@2.1/b.pdf"),
        ("git@example.com:a/b.git", "git@example.com:a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("", ""),
    ],
)
def test_remotes_lose_their_credentials(text: str, clean: str) -> None:
    assert clean_remote(text) == clean
    assert "cret" not in clean_message(f"fatal: unable to access '{text.split('?')[0]}': no")


@pytest.mark.parametrize(
    ("remote", "link"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r/blob/c0/s/x.py#L{start}-L{end}"),
        ("git@github.com:o/r.git", "https://github.com/o/r/blob/c0/s/x.py#L{start}-L{end}"),
        ("ssh://git@github.example.com:22/o/r", "https://github.example.com/o/r/blob/c0/s/x.py#L{start}-L{end}"),
        ("https://gitlab.com/g/s/r.git", "https://gitlab.com/g/s/r/-/blob/c0/s/x.py#L{start}-{end}"),
        ("https://bitbucket.org/o/r.git", "https://bitbucket.org/o/r/src/c0/s/x.py#lines-{start}:{end}"),
        ("https://codeberg.org/o/r.git", "https://codeberg.org/o/r/src/commit/c0/s/x.py#L{start}-L{end}"),
        ("https://gitea.example.com/o/r", "https://gitea.example.com/o/r/src/commit/c0/s/x.py#L{start}-L{end}"),
        ("https://git.sr.ht/~o/r", "https://git.sr.ht/~o/r/tree/c0/item/s/x.py#L{start}-{end}"),
        ("https://dev.azure.com/o/p/_git/r", "https://dev.azure.com/o/p/_git/r?path=/s/x.py&version=GCc0"
         "&line={start}&lineEnd={end}&lineStartColumn=1&lineEndColumn=1"),
        ("git@ssh.dev.azure.com:v3/o/p/r", "https://dev.azure.com/o/p/_git/r?path=/s/x.py&version=GCc0"
         "&line={start}&lineEnd={end}&lineStartColumn=1&lineEndColumn=1"),
        ("https://example.com/o/r.git", ""),
        ("/srv/r.git", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_links_to_the_web(remote: str, link: str) -> None:
    assert web_link(remote, "c0", b"s/x.py") == link


def test_braces_in_a_path_are_no_places_for_lines() -> None:
    assert (
        web_link("https://github.com/o/r", "c0", "{x}ü.md".encode()).format(start=1, end=2).endswith("/%7Bx%7D%C3%BC.md#L1-L2")
    )
