"""Where requests may go, and what is said about them in logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from emr_adapters.errors import (
    BadResponse,
    NotConfigured,
)
from emr_adapters.http import Http
from tests.adapters.http_link import BASE, SECRET, Link


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def remote() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


# --- where requests go ---


def test_a_read_follows_a_redirect_at_home(link: Link, remote: responses.RequestsMock) -> None:
    remote.get(BASE + "x", status=301, headers={"Location": "/api/x/"})
    remote.get(BASE + "x/", json={"ok": 1})
    assert link.http.get("x", {"page": "2"}).data == {"ok": 1}


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example.org/x",
        "http://emr.example.org/api/x/",
        "//elsewhere.example.org/",
        "",
        "https://emr.example.org:444/",
    ],
)
def test_a_redirect_to_another_origin_is_not_followed(
    link: Link, remote: responses.RequestsMock, location: str
) -> None:
    remote.get(BASE + "x", status=302, headers={"Location": location})
    with pytest.raises(NotConfigured) as refusal:
        link.http.get("x")
    assert len(remote.calls) == 1
    assert "elsewhere" not in str(refusal.value)


def test_redirects_that_go_round_come_to_an_end(link: Link, remote: responses.RequestsMock) -> None:
    remote.get(BASE + "x", status=302, headers={"Location": "y"})
    remote.get(BASE + "y", status=302, headers={"Location": "x"})
    with pytest.raises(NotConfigured):
        link.http.get("x")


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example.org/x",
        "http://emr.example.org/x",
        "//elsewhere.example.org/x",
        "https://emr.example.org:8443/x",
        "https://emr.example.org@elsewhere.example.org/",
        "file:///etc/passwd",
        "https://[bad/",
    ],
)
def test_no_address_leads_away_from_the_base(link: Link, address: str) -> None:
    with pytest.raises((BadResponse, ValueError)):
        link.http.get(address)
    assert link.asked == 0


def test_a_search_for_people_is_a_form_and_is_retried(
    link: Link, remote: responses.RequestsMock
) -> None:
    remote.post(BASE + "Patient/_search", status=503)
    remote.post(
        BASE + "Patient/_search",
        json={},
        match=[responses.matchers.urlencoded_params_matcher({"email": "ann@example.org"})],
    )
    link.http.search("Patient/_search", {"email": "ann@example.org"})
    assert "ann" not in (remote.calls[1].request.url or "")


def test_a_password_from_netrc_never_replaces_the_key(
    link: Link, remote: responses.RequestsMock, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine emr.example.org login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    remote.get(BASE + "x", json={})
    link.http.get("x")
    assert remote.calls[0].request.headers["Authorization"] == f"Token {SECRET}"


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    for key in ("a\nb", "é", "a\x00"):
        with pytest.raises(NotConfigured) as refusal:
            Http(BASE, name="X", headers={"Authorization": key})
        assert key not in str(refusal.value)


# --- what is said ---


def test_no_log_line_holds_a_query_a_body_or_a_key(
    link: Link, remote: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    remote.get(BASE + "x", json={"name": "Ann"})
    link.http.get("x", {"name": "Ann"})
    assert "GET /api/x" in caplog.text
    assert "Ann" not in caplog.text
    assert SECRET not in caplog.text
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)


def test_urllib3_does_not_log_addresses() -> None:
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)
