"""Where a submodule is fetched from, and any repository that nobody vouches for. Whoever wrote `.gitmodules` may be a stranger:
its addresses are gone to as those of documents are (download.py), never into a private network by accident.

Each host is looked up here, and git is told to connect to the addresses that were checked; redirects are followed here, each
checked anew, and not by git. Over ssh, git looks the host up again.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

import httpx

from phidex.errors import InputError
from phidex.ingest.sources.address import resolve
from phidex.ingest.sources.clone import Way
from phidex.ingest.sources.download import trusted_certificates
from phidex.ingest.sources.git import Git
from phidex.ingest.sources.remote import PORTS, GitUrl, parse_git_url
from phidex.settings import IngestSettings

_REDIRECTS = 5
_HINT = "name the repository's own address"
_ASKED = "/info/refs"  # what git asks a host for first


def submodule_url(git: Git, commit: str, path: bytes, parent: GitUrl) -> GitUrl:
    """The address of the submodule at `path`, with the credentials of the repository above where it is at the same place.

    Raises:
        InputError: it has none, or one that is not taken.
    """
    address = _address(git, commit, path)
    if address.startswith(("./", "../")):
        place = urljoin(f"https://x{parent.path}/", address)
        return replace(parent, path=place.removeprefix("https://x").rstrip("/"))
    url = parse_git_url(address)
    return replace(url, user=parent.user, password=parent.password) if url.place == parent.place and not url.user else url


def _address(git: Git, commit: str, path: bytes) -> str:
    arguments = ("config", "--blob", f"{commit}:.gitmodules", "-z", "--get-regexp", r"^submodule\..*\.(path|url)$")
    values: dict[str, dict[str, bytes]] = {}
    for record in git.run(*arguments, ok=(0, 1)).split(b"\0"):
        key, _, value = record.partition(b"\n")
        name, _, what = key.decode("utf-8", "replace").rpartition(".")
        values.setdefault(name, {})[what] = value
    for module in values.values():
        if module.get("path") == path and "url" in module:
            return module["url"].decode("utf-8", "replace")
    raise InputError("it has no address", hint="see .gitmodules")


def checked_way(url: GitUrl, named: GitUrl | None, settings: IngestSettings) -> Way | None:
    """How to reach a repository; None where it may be gone to without a look: at the place that the user named, or anywhere.

    Args:
        named: what a user named who is trusted, unless `settings.guard_repositories` says that nobody is.

    Raises:
        InputError: it leads into a private network, to no host at all, or in circles; or it is not taken over its scheme.
        ServiceError: names cannot be resolved now.
    """
    guarded = settings.guard_repositories
    if settings.allow_private_urls or (named is not None and url.place == named.place and not guarded):
        return None
    for _ in range(_REDIRECTS + 1):
        if guarded and url.scheme != "https":
            raise InputError(f"{url.remote}: repositories are taken over https alone here", hint="name its https:// address")
        addresses = resolve(url.host, url.port or PORTS[url.scheme], allow_private=False)
        moved = _redirect(url, addresses[0]) if url.scheme == "https" else None
        if moved is None:
            return Way(url, tuple(addresses), anonymous=guarded)
        url = moved
    raise InputError(f"more than {_REDIRECTS} redirects", hint=_HINT)


def _redirect(url: GitUrl, address: str) -> GitUrl | None:
    """Where the host sends those who ask for the repository; None where it does not, or where git will say what is wrong."""
    asked = httpx.URL(f"{replace(url, user='', password='').address}{_ASKED}?service=git-upload-pack")
    headers = {"Host": asked.netloc.decode("ascii"), "User-Agent": "git/phidex", "Accept": "*/*"}
    try:
        with (
            httpx.Client(verify=trusted_certificates(), trust_env=False, timeout=10) as client,
            client.stream(
                "GET", asked.copy_with(host=address), headers=headers, extensions={"sni_hostname": url.host}
            ) as response,
        ):
            if not response.is_redirect:
                return None
            target = str(asked.join(response.headers.get("location", ""))).partition("?")[0]
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    if not target.endswith(_ASKED):
        raise InputError("it leads to what is no repository", hint=_HINT)
    return parse_git_url(target.removesuffix(_ASKED))
