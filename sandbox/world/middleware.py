"""The way of a request: which system, log it, meet the faults, OnCall's path habits."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox.world import faults, journal, rewrite, switches

GetResponse = Callable[[HttpRequest], HttpResponse]

FHIR = "/fhir/R4"
ONCALL_LISTS = {"/appointments/", "/providers/", "/contacts/"}
KEPT_HEADERS = ("If-Match", "If-None-Exist", "Content-Type", "Accept")


def is_outside(request: HttpRequest) -> bool:
    """Requests of the stage crew: control API and page, never logged nor spoiled."""
    return request.system == "page" or request.path.startswith("/control/")


class SystemMiddleware:
    """Choose the URL configuration by the port."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.system = request.META.get("sandbox.system", "page")
        request.urlconf = f"sandbox.{request.system}.urls"
        return self.get_response(request)


class JournalMiddleware:
    """Write down every API request with the status that the client saw."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_outside(request):
            return self.get_response(request)
        try:
            with journal.in_progress():
                return self._noted(request)
        except journal.Closed:
            return _hang_up(request)

    def _noted(self, request: HttpRequest) -> HttpResponse:
        began = time.time()
        method, path = request.method, request.path
        raw = request.body if method in journal.WRITES else b""
        response = self.get_response(request)
        dropped = bool(request.META.get("sandbox.drop"))
        journal.note_request(
            {
                "system": request.system,
                "method": method,
                "path": path,
                "query": request.META.get("QUERY_STRING", ""),
                "status": None if dropped else response.status_code,
                "dropped": dropped,
                "at": began,
                "seconds": round(time.time() - began, 4),
                "body": _json_or_text(raw),
                "headers": {
                    name: request.headers[name] for name in KEPT_HEADERS if name in request.headers
                },
            }
        )
        return response


class FaultMiddleware:
    """Let the armed faults strike (see :mod:`sandbox.world.faults`)."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_outside(request) or not faults.armed():
            response = self.get_response(request)
            if not is_outside(request) and request.method == "GET":
                self._keep_first_page(request, response)
            return response
        facts = facts_of(request)
        for fault in faults.take(facts, "delay"):
            faults.nap(fault.options.get("seconds", 2))
        for fault in faults.take(facts, "before", "page", at_most=1):
            return answer_instead(fault, request)
        response = self.get_response(request)
        if response.status_code < 400:
            # A refused write stored nothing: its fault waits for the next one.
            for fault in faults.take(facts, "after", at_most=1):
                return answer_after(fault, request)
        if response.status_code in (200, 404):
            response = spoil(request, facts, response)
        for _ in faults.take(facts, "body", at_most=1):
            _set_body(response, response.content[: len(response.content) // 2])
        return response

    def _keep_first_page(self, request: HttpRequest, response: HttpResponse) -> None:
        # Only page one is parsed, so that long lists stay quick.
        facts = facts_of(request)
        if facts.is_list and facts.page == 1 and response.status_code == 200:
            body = json.loads(response.content)
            rewrite.keep_first_page(rewrite.Listing(request.system, body, ""), facts.path, 1)


class OnCallPathMiddleware:
    """Quirks Q1 and Q2: paths without their slash, and the singular path."""

    def __init__(self, get_response: GetResponse):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.system != "oncall" or is_outside(request):
            return self.get_response(request)
        path = request.path_info
        if path.startswith("/appointment/") and switches.get("oncall.singular") == "alias":
            path = path.replace("/appointment/", "/appointments/", 1)
        if not path.endswith("/"):
            habit = switches.get("oncall.slashless")
            if habit == "404":
                return JsonResponse({"detail": "Not found."}, status=404)
            if habit == "accepted":
                path += "/"
        request.path_info = request.path = path
        return self.get_response(request)


def facts_of(request: HttpRequest) -> faults.Facts:
    """Read from a request what faults match on."""
    path, method = request.path, request.method or ""
    if request.system == "oncall":
        is_list = path in ONCALL_LISTS and method == "GET"
        page = request.GET.get("page", "1")
        number = int(page) if page.isdecimal() else 1
        return faults.Facts(
            "oncall",
            method,
            path,
            number,
            is_list,
            path.startswith("/appointments/"),
        )
    path = path.removeprefix(FHIR) or "/"
    searching = path.endswith("/_search") and method == "POST"
    is_list = searching or (method == "GET" and re.fullmatch(r"/[A-Z][A-Za-z]+", path) is not None)
    token = request.GET.get("_page", "")
    number = int(token.rpartition("-")[2] or 1) if token else 1
    return faults.Facts(
        "emr",
        method,
        path,
        number,
        is_list,
        path.startswith("/Appointment"),
    )


def spoil(request: HttpRequest, facts: faults.Facts, response: HttpResponse) -> HttpResponse:
    """Apply list and record faults to a right answer."""
    if facts.method == "POST" and not facts.is_list:
        return response
    try:
        body = json.loads(response.content)
    except ValueError:
        return response
    if facts.is_list and response.status_code == 200:
        address = request.build_absolute_uri()
        if request.system == "oncall":
            address = switches.get("oncall.public_base") + address.split("/", 3)[3]
            address += "" if "?" in address else "?page=1"
        listing = rewrite.Listing(request.system, body, address)
        rewrite.keep_first_page(listing, facts.path, facts.page)
        for fault in faults.take(facts, "list"):
            rewrite.spoil_list(fault, listing, facts.path, facts.page)
        for fault in faults.take(facts, "record"):
            _spoil_rows(fault, listing)
        body = listing.body
    else:
        for fault in faults.take(facts, "record"):
            body, response = _spoil_one(fault, request, body, response)
    _set_body(response, json.dumps(body).encode())
    return response


def _spoil_rows(fault: faults.Fault, listing: rewrite.Listing) -> None:
    rows, wanted = [], fault.options.get("id")
    hit = False
    for row in listing.rows:
        record = listing.record(row)
        if wanted not in (None, rewrite.record_id(listing.system, record)) or (
            hit and fault.kind == "malformed_record"
        ):
            rows.append(row)
            continue
        if fault.kind == "stale_read":
            changed, record = rewrite.stale(listing.system, record)
            hit = hit or changed
            if record is None:
                continue
        else:
            hit, record = True, rewrite.spoil_record(fault, listing.system, record)
        rows.append(record if listing.system == "oncall" else {**row, "resource": record})
    if hit:
        listing.rows = rows
    else:
        faults.give_back(fault)


def _spoil_one(
    fault: faults.Fault, request: HttpRequest, body: Any, response: HttpResponse
) -> tuple[Any, HttpResponse]:
    number = request.path.rstrip("/").rpartition("/")[2]
    if fault.options.get("id") not in (None, number):
        faults.give_back(fault)
        return body, response
    if fault.kind == "malformed_record":
        return rewrite.spoil_record(fault, request.system, body), response
    if response.status_code == 404:
        body = {"url": number, "id": number}
    changed, older = rewrite.stale(request.system, body)
    if not changed:
        faults.give_back(fault)
    elif older is None:
        return {"detail": "Not found."}, JsonResponse({}, status=404)
    return (older if changed else body), response


def answer_instead(fault: faults.Fault, request: HttpRequest) -> HttpResponse:
    """The answer of a fault that strikes before the system looks at the request."""
    if fault.kind in ("timeout_before", "drop_before"):
        if fault.kind == "timeout_before":
            faults.nap(fault.options.get("seconds", 30))
        return _hang_up(request)
    if fault.kind in ("502html", "html200"):
        page = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
        return HttpResponse(page, status=502 if fault.kind == "502html" else 200)
    status = {"page_fails": 500, "status": fault.options.get("status", 418)}.get(fault.kind) or int(
        fault.kind
    )
    words = {
        401: "Invalid token.",
        403: "You do not have permission to perform this action.",
        404: "Not found.",
        429: "Request was throttled.",
        503: "Service unavailable.",
    }.get(status, "A server error occurred.")
    body = fault.options.get("body", _complaint(request.system, words))
    response = JsonResponse(body, status=status, safe=False)
    if status == 401:
        scheme = "Token" if request.system == "oncall" else "Bearer"
        response["WWW-Authenticate"] = scheme
    if "retry_after" in fault.options and fault.options["retry_after"] is not None:
        response["Retry-After"] = str(fault.options["retry_after"])
    for name, value in fault.options.get("headers", {}).items():
        response[name] = value
    return response


def answer_after(fault: faults.Fault, request: HttpRequest) -> HttpResponse:
    """The write is done and stays; only its answer is lost."""
    if fault.kind == "500_after_write":
        return JsonResponse(_complaint(request.system, "A server error occurred."), status=500)
    if fault.kind == "timeout_after_write":
        faults.nap(fault.options.get("seconds", 30))
    return _hang_up(request)


def _hang_up(request: HttpRequest) -> HttpResponse:
    # The server drops the connection when it sees the mark (sandbox.server).
    request.META["sandbox.drop"] = True
    return HttpResponse(status=500)


def _complaint(system: str, words: str) -> dict[str, Any]:
    if system == "oncall":
        return {"detail": words}
    issue = {"severity": "error", "code": "exception", "diagnostics": words}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _set_body(response: HttpResponse, content: bytes) -> None:
    response.content = content
    response["Content-Length"] = str(len(content))


def _json_or_text(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
