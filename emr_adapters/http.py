"""One HTTP session to one remote system: where every failure gets its class, once.

What it promises
    * a timeout on every call, and a limit on the size of an answer
    * reads are retried a little, unless the remote asks for rest, which is the caller's to give
      to all who ask it; a write is sent exactly once
    * a redirect is never followed by a write, nor by anything to another origin; credentials go to the
      configured origin only
    * texts of errors and logs hold no query string, no body, no header (law 14)
    * ``began_at`` of an answer is the moment just before its request was sent (law 7)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError

from emr_adapters import answers
from emr_adapters.base import READ_RETRIES
from emr_adapters.errors import (
    AdapterError,
    BadResponse,
    NotConfigured,
    OutcomeUnknown,
    TemporaryError,
)
from emr_adapters.times import utc_now

logger = logging.getLogger(__name__)
# urllib3 writes whole addresses to its debug log, query string and all.
logging.getLogger("urllib3").setLevel(logging.INFO)

BACKOFF: Final = (0.5, 1.5)  # seconds before the first and the second retry
RETRY_UNTIL: Final = 30.0  # seconds after the first attempt; no retry begins later
LARGEST: Final = 32 * 1024 * 1024  # bytes of one answer
REDIRECTS: Final = 3

Params: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

_REDIRECT: Final = frozenset({301, 302, 303, 307, 308})
_RETRIED: Final = frozenset({408, 425, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """``data`` is the decoded JSON, None for an empty body; ``url`` is what was really asked."""

    status: int
    headers: Mapping[str, str]
    data: Any
    began_at: datetime
    url: str


@dataclass(frozen=True, slots=True)
class _Raw:
    status: int
    headers: CaseInsensitiveDict[str]
    body: bytes
    began_at: datetime
    url: str


class Http:
    """``name`` is how errors call the system ("OnCall"). ``retries``: how often a read is tried again.
    ``explain`` turns a decoded error body (and the values to hide) into a text without values; "" when
    there is nothing to say."""

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = (5.0, 20.0),
        retries: int = READ_RETRIES,
        before_request: Callable[[], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
        explain: answers.Explain = answers.no_explanation,
    ) -> None:
        self.name = name
        self.base_url = _checked_base(base_url, name)
        self._origin = _origin(self.base_url)
        self._timeout = timeout
        self._retries = min(retries, len(BACKOFF))
        self._before_request = before_request
        self._sleep = sleep
        self._now = now
        self._explain = explain
        self._session = requests.Session()
        # Something must stand here, or requests puts a password from ~/.netrc in place of our header.
        self._session.auth = _unchanged
        self._session.headers.update(_checked_headers(headers or {}, name))

    # --- the three ways to ask ---

    def get(
        self,
        path: str,
        params: Params | None = None,
        *,
        listing: bool = False,
        accept: Collection[int] = (),
    ) -> Answer:
        """Read. ``path`` is relative to the base, or an address of the same origin.

        ``listing``: "not found" then means a wrong address, not a missing record. A status in
        ``accept`` is returned instead of raised.
        """
        return self._read("GET", path, params=params, form=None, listing=listing, accept=accept)

    def search(self, path: str, form: Mapping[str, str], *, accept: Collection[int] = ()) -> Answer:
        """A search whose words must not stand in an address: POST of a form that changes nothing."""
        return self._read("POST", path, params=None, form=form, listing=True, accept=accept)

    def write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        hide: Collection[str] = (),
    ) -> Answer:
        """Send once. ``hide``: values of ``body`` that an error text must not repeat.

        Raises OutcomeUnknown for everything that leaves open whether it happened.
        """
        url = self.url(path)
        raw, failure = self._send(method, url, json=body, headers=headers, write=True)
        if raw is None:
            raise failure or TemporaryError(f"{self.name} did not answer.")
        if raw.status in _REDIRECT:
            raise NotConfigured(
                f"{self.name} answered a write with a redirect ({raw.status}); nothing more was sent. "
                "Check the address in the settings."
            )
        return self._answer(raw, write=True, listing=False, accept=(), hide=hide)

    def url(self, path: str) -> str:
        """The address of ``path`` below the base. Raises BadResponse if it leads to another origin."""
        url = urljoin(self.base_url, path)
        if _origin(url) != self._origin:
            raise BadResponse(f"{self.name} named an address on another host; it was not followed.")
        return url

    # --- how ---

    def _read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None,
        form: Mapping[str, str] | None,
        listing: bool,
        accept: Collection[int],
    ) -> Answer:
        url = self.url(path)
        started = self._now()
        attempt = hops = 0
        while True:
            raw, failure = self._send(method, url, params=params, form=form, write=False)
            if raw is not None and raw.status in _REDIRECT:
                hops += 1
                url, params = (
                    self._redirected(raw, url, may=form is None and hops <= REDIRECTS),
                    None,
                )
                continue
            wait = self._wait(raw, failure, attempt, started, accept)
            if wait is not None:
                self._sleep(wait)
                attempt += 1
                continue
            if raw is None:
                raise failure or TemporaryError(f"{self.name} did not answer.")
            return self._answer(raw, write=False, listing=listing, accept=accept, hide=())

    def _wait(
        self,
        raw: _Raw | None,
        failure: AdapterError | None,
        attempt: int,
        started: datetime,
        accept: Collection[int],
    ) -> float | None:
        """Seconds until the next attempt of a read, or None when there is none."""
        if raw is None:
            if not isinstance(failure, TemporaryError):
                return None
        elif raw.status not in _RETRIED or raw.status in accept:
            return None
        if attempt >= self._retries or (self._now() - started).total_seconds() > RETRY_UNTIL:
            return None
        if raw is not None and answers.retry_after(raw.headers, self._now()):
            return None
        return BACKOFF[attempt]

    def _redirected(self, raw: _Raw, url: str, *, may: bool) -> str:
        target = urljoin(url, raw.headers.get("Location", ""))
        if not may or _origin(target) != self._origin or target == url:
            raise NotConfigured(
                f"{self.name} answered with a redirect ({raw.status}) that was not followed. "
                "Check the address in the settings."
            )
        return target

    def _send(
        self,
        method: str,
        url: str,
        *,
        write: bool,
        params: Params | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[_Raw | None, AdapterError | None]:
        """One request. A failure is returned, not raised here: an exception raised while requests'
        own is being handled would carry it, and the address in it, along."""
        if self._before_request is not None:
            self._before_request()
        prepared, failure = self._prepare(method, url, params, form, json, headers)
        if prepared is None:
            return None, failure
        began_at, clock = self._now(), time.monotonic()
        status = 0
        try:
            settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)
            with self._session.send(
                prepared, timeout=self._timeout, allow_redirects=False, **settings
            ) as response:
                status = response.status_code
                body = _body(response)
                raw = _Raw(status, response.headers, body, began_at, prepared.url or url)
        except requests.RequestException as error:
            raw, failure = None, self._failure(error, write=write)
        except _TooLarge:
            text = f"{self.name} sent an answer that is too large."
            raw, failure = None, OutcomeUnknown(text) if write else BadResponse(text)
        took = (time.monotonic() - clock) * 1000
        logger.debug("%s %s %s %d %.0f ms", self.name, method, urlsplit(url).path, status, took)
        return raw, failure

    def _prepare(
        self,
        method: str,
        url: str,
        params: Params | None,
        form: Mapping[str, str] | None,
        json: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[requests.PreparedRequest | None, AdapterError | None]:
        body = None if json is None else answers.encode(json)
        sent = dict(headers or {})
        if body is not None and "Content-Type" not in self._session.headers:
            sent.setdefault("Content-Type", "application/json")
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        request = requests.Request(method, url, params=params, data=form or body, headers=sent)
        try:
            return self._session.prepare_request(request), None
        except (requests.RequestException, UnicodeError):
            return None, NotConfigured(
                f"The address or the credentials of {self.name} cannot be sent."
            )

    def _failure(self, error: requests.RequestException, *, write: bool) -> AdapterError:
        text = str(error)
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY" in text:
            return NotConfigured(f"The certificate of {self.name} could not be verified.")
        if isinstance(error, requests.exceptions.ProxyError):
            return TemporaryError(f"The proxy on the way to {self.name} did not answer.")
        if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
            return TemporaryError(f"{self.name} could not be reached.")
        if write:
            return OutcomeUnknown(
                f"The connection to {self.name} broke after a write was sent; it may have happened."
            )
        if isinstance(error, requests.Timeout):
            return TemporaryError(f"{self.name} did not answer in time.")
        return TemporaryError(f"The connection to {self.name} broke.")

    def _answer(
        self,
        raw: _Raw,
        *,
        write: bool,
        listing: bool,
        accept: Collection[int],
        hide: Collection[str],
    ) -> Answer:
        wanted = 200 <= raw.status < 300 or raw.status in accept
        data, readable = answers.decode(raw.body, raw.headers.get("Content-Type", ""))
        if not wanted:
            said = self._explain(data, hide) if readable else ""
            error = answers.error_for(
                raw.status, self.name, said, write=write, listing=listing, readable=readable
            )
            if raw.status == 429 or raw.status >= 500:
                error.retry_after = answers.retry_after(raw.headers, self._now())
            raise error
        if not readable and 200 <= raw.status < 300:
            text = f"{self.name} answered with something that is not JSON."
            raise OutcomeUnknown(text) if write else BadResponse(text)
        if data is None and not write and raw.status not in accept:
            raise BadResponse(f"{self.name} sent an empty answer.")
        return Answer(raw.status, raw.headers, data, raw.began_at, raw.url)


class _TooLarge(Exception):
    pass


def _body(response: requests.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_content(65536):
        size += len(part)
        if size > LARGEST:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)


def _never_connected(error: requests.RequestException) -> bool:
    """The connection itself failed, so nothing was sent (requests wraps urllib3's reason)."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").lower(), port
    except ValueError:
        return "", "", None


def _checked_base(base_url: str, name: str) -> str:
    scheme, host, _ = _origin(base_url.strip())
    if scheme not in {"http", "https"} or not host:
        raise NotConfigured(f"The address of {name} must begin with https:// or http://.")
    parts = urlsplit(base_url.strip())
    if parts.username or parts.password or parts.query or parts.fragment:
        raise NotConfigured(f"The address of {name} may not hold credentials, ? or #.")
    return parts.geturl().rstrip("/") + "/"


def _checked_headers(headers: Mapping[str, str], name: str) -> dict[str, str]:
    for value in headers.values():
        if not value.isascii() or not value.isprintable():
            raise NotConfigured(f"The credentials of {name} hold a character that cannot be sent.")
    return dict(headers)
