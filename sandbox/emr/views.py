"""The FHIR R4 endpoint under ``/fhir/R4/`` (http.html: read, search, create, update, delete)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from sandbox.emr import capability, search, store
from sandbox.emr.errors import Refused, outcome
from sandbox.emr.models import Resource
from sandbox.world import switches

BEARER = "practice-emr-token"
CONTENT_TYPE = "application/fhir+json; charset=utf-8"
PREFIX = "/fhir/R4"

View = Callable[..., HttpResponse]


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A FHIR answer; a body of None is sent as nothing at all."""
    content = b"" if body is None else json.dumps(body).encode()
    return HttpResponse(content, status=status, headers=headers, content_type=CONTENT_TYPE)


def fhir(view: View) -> View:
    """Ask for the token if told to, and turn refusals into OperationOutcome."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *args: str) -> HttpResponse:
        try:
            _admit(request)
            return view(request, *args)
        except Refused as refusal:
            response = answer(refusal.outcome(), refusal.status)
            if refusal.status == 401:
                response["WWW-Authenticate"] = 'Bearer realm="practice-emr"'
            return response

    return guarded


def _admit(request: HttpRequest) -> None:
    open_to_all = request.path.endswith("/metadata")
    if switches.get("emr.auth") == "open" or open_to_all:
        return
    if request.headers.get("Authorization") != f"Bearer {BEARER}":
        raise Refused(401, "login", "a bearer token is required")


@fhir
def metadata(request: HttpRequest) -> HttpResponse:
    return answer(capability.statement(_base(request)))


@fhir
def unknown(request: HttpRequest, *_: str) -> HttpResponse:
    raise Refused(404, "not-supported", "unknown resource or operation")


@fhir
def collection(request: HttpRequest, kind: str) -> HttpResponse:
    """``GET [type]`` searches, ``POST [type]`` creates."""
    if request.method == "GET":
        return _search(request, kind, request.GET)
    if request.method == "POST":
        return _create(request, kind)
    raise Refused(405, "not-supported", "method not allowed")


@fhir
def search_by_post(request: HttpRequest, kind: str) -> HttpResponse:
    """``POST [type]/_search``: parameters in a form, so that none is in an address."""
    if request.method != "POST":
        raise Refused(405, "not-supported", "method not allowed")
    params = request.GET.copy()
    for name, values in request.POST.lists():
        for value in values:
            params.appendlist(name, value)
    return _search(request, kind, params)


@fhir
def instance(request: HttpRequest, kind: str, rid: str) -> HttpResponse:
    """``GET``, ``PUT`` and ``DELETE`` of one resource."""
    match request.method:
        case "GET":
            row = store.find(kind, rid)
            return answer(store.shown(row), headers=_version_headers(row))
        case "PUT":
            _refuse_writes()
            body = store.check(kind, _body(request), rid)
            row = store.update(kind, rid, body, request.headers.get("If-Match"))
            return answer(store.shown(row), headers=_version_headers(row))
        case "DELETE":
            _refuse_writes()
            store.delete(kind, rid)
            return HttpResponse(status=204)
    raise Refused(405, "not-supported", "method not allowed")


def _create(request: HttpRequest, kind: str) -> HttpResponse:
    _refuse_writes()
    body = store.check(kind, _body(request))
    body.pop("id", None)
    condition = request.headers.get("If-None-Exist", "")
    habit = switches.get("emr.if_none_exist")
    if not condition or habit == "ignored":
        return _created(request, store.create(kind, body))
    if habit == "racy":
        # Seen on real servers: look first, store later, no lock between.
        row = _match(kind, condition)
        time.sleep(0.05)
        return _found(row) if row else _created(request, store.create(kind, body))
    with transaction.atomic():
        row = _match(kind, condition)
        if row is None:
            return _created(request, store.create(kind, body))
    return _found(row)


def _match(kind: str, condition: str) -> Resource | None:
    params = QueryDict(condition.lstrip("?"))
    rows = list(search.begin(kind, params).rows[:2])
    if len(rows) > 1:
        raise Refused(412, "multiple-matches", "the condition fits several records")
    return rows[0] if rows else None


def _found(row: Resource) -> HttpResponse:
    return answer(store.shown(row), headers=_version_headers(row))


def _created(request: HttpRequest, row: Resource) -> HttpResponse:
    headers = _version_headers(row)
    where = f"{_base(request)}/{row.type}/{row.rid}/_history/{row.version}"
    match switches.get("emr.location_header"):
        case "full":
            headers["Location"] = where
        case "inner":
            headers["Location"] = f"http://emr-inner:8080{urlsplit(where).path}"
    empty = switches.get("emr.create_answer") == "empty"
    return answer(None if empty else store.shown(row), 201, headers)


def _search(request: HttpRequest, kind: str, params: QueryDict) -> HttpResponse:
    if token := params.get("_page"):
        found, number = search.resume(token)
    else:
        found, number = search.begin(kind, params), 1
    rows, total, more = search.page(found, number)
    base = _base(request)
    links = [{"relation": "self", "url": request.build_absolute_uri()}]
    if more:
        links.append({"relation": "next", "url": _next_link(base, found, number + 1)})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    match switches.get("emr.total"):
        case "exact":
            bundle["total"] = total
        case "page_size":
            bundle["total"] = len(rows)
    bundle["link"] = links
    entries = [_entry(base, row, "match") for row in rows]
    wishes = found.params.getlist("_include")
    if wishes:
        entries += [_entry(base, r, "include") for r in search.included(rows, wishes)]
    if switches.get("emr.outcome_entry"):
        hint = outcome("informational", "the search was understood", "information")
        entries.append({"resource": hint, "search": {"mode": "outcome"}})
    if found.params.get("_summary") == "count":
        entries = []
    if entries or switches.get("emr.empty_entry") == "[]":
        bundle["entry"] = entries
    return answer(bundle)


def _entry(base: str, row: Resource, mode: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base}/{row.type}/{row.rid}",
        "resource": store.shown(row),
        "search": {"mode": mode},
    }


def _next_link(base: str, found: search.Search, number: int) -> str:
    query = f"{found.kind}?_page={found.token}-{number}"
    match switches.get("emr.next"):
        case "relative":
            return query
        case "foreign":
            return f"https://emr.example.org{PREFIX}/{query}"
    return f"{base}/{query}"


def _version_headers(row: Resource) -> dict[str, str]:
    headers = {}
    if switches.get("emr.versions") != "absent":
        headers["ETag"] = store.etag(row)
    if switches.get("emr.last_updated") != "absent":
        headers["Last-Modified"] = f"{row.last_updated:%a, %d %b %Y %H:%M:%S} GMT"
    return headers


def _body(request: HttpRequest) -> Any:
    try:
        return json.loads(request.body)
    except ValueError:
        raise Refused(400, "structure", "the body is no JSON") from None


def _refuse_writes() -> None:
    if switches.get("emr.writes") == "405":
        raise Refused(405, "not-supported", "this server is read only")


def _base(request: HttpRequest) -> str:
    return request.build_absolute_uri(PREFIX)
