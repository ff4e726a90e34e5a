"""What one value may be: for the configuration file and the administration's forms alike.

Each check answers a clause that completes "key: …", or "" when all is well. No value of a credential
is ever repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from appointments.core.brake import MOST_COUNT, MOST_PERCENT
from appointments.core.values import ONCALL_TYPES, SKIP
from appointments.oncall.payloads import REGIONS
from emr_adapters.registry import ADAPTERS

ONCALL: Final = "oncall"
ENV: Final = "env:"
SECRET_KEYS: Final = (
    "token",
    "username",
    "password",
    "client_secret",
    "private_key",
    "api_key",
)
DEFAULT_TYPES: Final = (*ONCALL_TYPES, SKIP)
MOST_TOKENS: Final = 2

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)


def name_problem(name: str) -> str:
    if _NAME.fullmatch(name):
        return ""
    return "a connection's name is up to 60 letters, digits, - and _"


def address_problem(url: str) -> str:
    """An address of a remote system: http or https, with a host, without credentials or a query."""
    if url.startswith(ENV):
        return "env:NAME is for credentials; write the address itself"
    try:
        parts = urlsplit(url)
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError:
        return "is not an address"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_readable:
        return "must be an address that begins with https:// or http://"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "may not hold credentials, ? or #"
    return ""


def zone_problem(name: str) -> str:
    return "" if name in available_timezones() else f'unknown zone "{name}"'


def region_problem(region: str) -> str:
    return "" if region in REGIONS else f'must be "ca" or "us", not "{region}"'


def adapter_problem(kind: str) -> str:
    if kind in ADAPTERS:
        return ""
    return f'there is no adapter "{kind}"; known: {", ".join(sorted(ADAPTERS))}'


def title_problem(title: str) -> str:
    text = title.replace("{provider}", "")
    if "{" in text or "}" in text:
        return "may hold {provider} and no other braces"
    return "" if text.strip() else "must hold words besides {provider}"


def credential_problem(value: str) -> str:
    """A private key may have several lines."""
    if not value.strip():
        return "is empty"
    if not all(char.isprintable() for char in value if char not in "\r\n"):
        return "holds a character that cannot be sent"
    if value.startswith(ENV) and not _VARIABLE.fullmatch(value.removeprefix(ENV)):
        return "env: must be followed by the name of an environment variable"
    return ""


def webhook_problem(tokens: Sequence[str]) -> str:
    """The token is a part of an address, so it must need no escaping there."""
    if not 1 <= len(tokens) <= MOST_TOKENS:
        return "must be one token, or a list of two while it is changed"
    for token in tokens:
        if problem := credential_problem(token):
            return problem
        if not token.startswith(ENV) and not _TOKEN.fullmatch(token):
            return "a token may hold only letters, digits and . _ ~ -"
    if len(set(tokens)) != len(tokens):
        return "the two tokens are the same"
    return ""


def brake_count_problem(count: int) -> str:
    """However the brake is set, it stays a brake (law 9)."""
    if 0 <= count <= MOST_COUNT:
        return ""
    return f"must be from 0 to {MOST_COUNT}: the brake cannot be switched off"


def brake_percent_problem(percent: float) -> str:
    if 0 <= percent <= MOST_PERCENT:
        return ""
    return f"must be from 0 to {MOST_PERCENT:g}: the brake cannot be switched off"


def rules_problem(rules: Sequence[tuple[str, str]]) -> tuple[int, str] | None:
    """The first rule of a type table that no visit can reach, as (index, clause)."""
    seen: set[str] = set()
    for index, (pattern, _) in enumerate(rules):
        if "*" in seen:
            return index, 'no visit gets this far: an earlier rule is "*"'
        if pattern.casefold() in seen:
            return index, f'the pattern "{pattern}" is there twice'
        seen.add(pattern.casefold())
    return None


def tokens_of(value: Any) -> tuple[str, ...]:
    """``webhook_token`` as written (a text, or a list of texts) → its tokens."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list | tuple) else ()


def references(credentials: Any) -> tuple[str, ...]:
    """The names of the environment variables that credentials refer to."""
    texts = [text for value in credentials.values() for text in tokens_of(value)]
    return tuple(text.removeprefix(ENV) for text in texts if text.startswith(ENV))
