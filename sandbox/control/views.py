"""The control API: JSON over HTTP on every port under ``/control/`` (see README.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from sandbox import demo_config, demo_world
from sandbox.control import person
from sandbox.emr.errors import Refused
from sandbox.world import addresses, faults, hooks, journal, reset, seed, state, switches

Answer = dict[str, Any] | list[Any] | HttpResponse | None


def control(*methods: str) -> Callable[..., Any]:
    """Read JSON, call the view with it, answer JSON; a mistake is a 400 with words."""

    def decorate(view: Callable[..., Answer]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                return _error(405, f"use {' or '.join(methods)}")
            try:
                request.data = json.loads(request.body) if request.body else {}
                answer = view(request, **kwargs)
            except ObjectDoesNotExist as missing:
                return _error(404, str(missing))
            except Refused as refusal:
                return _error(refusal.status, refusal.words)
            except (ValueError, KeyError, TypeError, AttributeError) as mistake:
                return _error(400, f"{type(mistake).__name__}: {mistake}")
            if isinstance(answer, HttpResponse):
                return answer
            return JsonResponse({} if answer is None else answer, safe=False)

        return wrapped

    return decorate


def _error(status: int, words: str) -> JsonResponse:
    return JsonResponse({"error": words}, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """JSON instead of Django's page, on every port."""
    return JsonResponse({"detail": "Not found."}, status=404)


@control("GET")
def overview(request: HttpRequest) -> Answer:
    return addresses.all_addresses()


@control("GET", "PUT", "PATCH")
def switch_board(request: HttpRequest) -> Answer:
    if request.method != "GET":
        switches.put(request.data)
    return switches.all_values()


@control("GET")
def switch_help(request: HttpRequest) -> Answer:
    return switches.explained()


@control("GET", "POST", "DELETE")
def fault_list(request: HttpRequest) -> Answer:
    if request.method == "DELETE":
        faults.clear()
    if request.method == "POST":
        wishes = request.data if isinstance(request.data, list) else [request.data]
        ordered = [faults.order(wish).as_json() for wish in wishes]
        return ordered if isinstance(request.data, list) else ordered[0]
    return {"faults": [fault.as_json() for fault in faults.known()]}


@control("DELETE")
def fault(request: HttpRequest, number: int) -> Answer:
    faults.clear(number)
    return None


@control("GET")
def whole_state(request: HttpRequest) -> Answer:
    return state.everything()


@control("GET", "DELETE")
def mails(request: HttpRequest) -> Answer:
    if request.method == "DELETE":
        state.Mail.objects.all().delete()
    query = request.GET
    found = state.mails(audience=query.get("audience", ""), cause=query.get("cause", ""))
    return {"count": len(found), "mails": found}


@control("GET", "DELETE")
def requests(request: HttpRequest) -> Answer:
    if request.method == "DELETE":
        journal.clear()
    query = request.GET
    found = journal.requests(
        system=query.get("system", ""),
        method=query.get("method", ""),
        path=query.get("path", ""),
        since=int(query.get("since", 0)),
        writes=query.get("writes", "") in ("1", "true"),
    )
    return {"count": len(found), "requests": found}


@control("GET")
def deeds(request: HttpRequest) -> Answer:
    return {"deeds": journal.deeds()}


@control("POST")
def clean(request: HttpRequest) -> Answer:
    reset.reset()
    return None


@control("POST")
def sow(request: HttpRequest) -> Answer:
    return seed.load(request.data)


@control("GET", "POST")
def demo(request: HttpRequest) -> Answer:
    """POST loads today's demo world; GET tells what was arranged in it."""
    if request.method == "GET":
        return {"stories": [asdict(story) for story in demo_world.build(demo_world.day()).stories]}
    reset.load_demo()
    kept = state.everything()
    return {
        "oncall": len(kept["oncall"]["appointments"]),
        "emr": len(kept["emr"]["Appointment"]),
    }


@control("GET")
def demo_toml(request: HttpRequest) -> Answer:
    """The matching file for ``manage.py loadconfig``; ``?mode=live``, ``?env=1``."""
    known = addresses.all_addresses()
    text = demo_config.toml(
        oncall_url=request.GET.get("oncall_url", known["oncall_url"]),
        emr_url=request.GET.get("emr_url", known["emr_url"]),
        mode=request.GET.get("mode", "observe"),
        by_environment=request.GET.get("env", "") in ("1", "true"),
    )
    return HttpResponse(text, content_type="application/toml; charset=utf-8")


@control("GET", "PUT")
def webhooks(request: HttpRequest) -> Answer:
    if request.method == "PUT":
        if "mode" in request.data:
            hooks.set_mode(request.data["mode"])
        if "url" in request.data:
            hooks.set_url(request.data["url"])
    return hooks.report()


@control("POST")
def webhook_deed(request: HttpRequest, deed: str) -> Answer:
    """flush; send (any body at all); or one of the modes."""
    if deed == "flush":
        return {"drained": hooks.flush(), **hooks.report()}
    if deed == "send":
        data = request.data
        body = data["raw"] if "raw" in data else json.dumps(data["body"])
        hooks.send(body, data.get("content_type", "application/json"))
    else:
        hooks.set_mode(deed)
    return hooks.report()


@control("POST")
def oncall_create(request: HttpRequest) -> Answer:
    return person.create_oncall(request.data)


@control("PATCH", "POST", "DELETE")
def oncall_edit(request: HttpRequest, number: int) -> Answer:
    if request.method == "DELETE":
        return person.vanish_oncall(number)
    return person.change_oncall(number, request.data)


@control("POST")
def oncall_deed(request: HttpRequest, number: int, deed: str) -> Answer:
    if deed == "cancel":
        return person.cancel_oncall(number)
    return person.vanish_oncall(number)


@control("POST")
def emr_create(request: HttpRequest, kind: str) -> Answer:
    return person.create_emr(seed.EMR_LISTS[kind], request.data)


@control("PATCH", "POST", "DELETE")
def emr_edit(request: HttpRequest, kind: str, rid: str) -> Answer:
    if request.method == "DELETE":
        return person.delete_emr(seed.EMR_LISTS[kind], rid)
    return person.change_emr(seed.EMR_LISTS[kind], rid, request.data)


@control("POST")
def emr_deed(request: HttpRequest, kind: str, rid: str, deed: str) -> Answer:
    if deed == "vanish":
        return person.vanish_emr(seed.EMR_LISTS[kind], rid)
    if deed == "delete":
        return person.delete_emr(seed.EMR_LISTS[kind], rid)
    return person.cancel_emr(rid, request.data.get("reason", ""))
