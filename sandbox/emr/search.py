"""Search by parameters, sorting and paging (FHIR R4, search.html)."""

from __future__ import annotations

import random
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet
from django.http import QueryDict

from sandbox.emr.errors import Refused
from sandbox.emr.models import Resource, Token
from sandbox.emr.store import instant
from sandbox.world import switches

TOKEN_PARAMS = {
    "Appointment": ("identifier", "patient", "practitioner", "location", "actor"),
    "Patient": ("identifier", "email", "name"),
    "Practitioner": ("identifier", "email", "name"),
    "Location": ("identifier", "name"),
}
REFERENCES = {"patient": "Patient", "practitioner": "Practitioner", "location": "Location"}
CONTROLS = {"_count", "_sort", "_format", "_pretty", "_include", "_summary", "_total"}
SORTS = {"date": "start", "_id": "id", "_lastUpdated": "last_updated"}


def known_params(kind: str) -> list[str]:
    """What the CapabilityStatement names."""
    names = ["_id", *TOKEN_PARAMS[kind]]
    if switches.get("emr.last_updated_search"):
        names.append("_lastUpdated")
    if kind == "Appointment":
        names += ["date", "status"]
    return names


@dataclass
class Search:
    """One search and the state its pages share."""

    kind: str
    params: QueryDict
    count: int
    rows: QuerySet[Resource]
    sorts: list[str]
    ids: list[int] = field(default_factory=list)  # of a snapshot
    token: str = field(default_factory=lambda: secrets.token_urlsafe(9))


_lock = threading.Lock()
_searches: OrderedDict[str, Search] = OrderedDict()
KEPT = 2_000


def begin(kind: str, params: QueryDict) -> Search:
    """Read the parameters; 400 for what cannot be understood."""
    rows = Resource.objects.filter(type=kind, deleted=False)
    if kind == "Appointment" and not switches.get("emr.cancelled_listed"):
        rows = rows.exclude(status="cancelled")
    for name, values in params.lists():
        for value in values:
            rows = _narrow(kind, rows, name, value)
    sorts = _sorts(params.get("_sort", ""))
    wish = params.get("_count", "")
    if wish and not wish.isdecimal():
        raise Refused(400, "value", "_count is a number")
    size = int(wish) if wish else int(switches.get("emr.page_size"))
    search = Search(kind, params, min(size, int(switches.get("emr.max_count"))), rows, sorts)
    if switches.get("emr.paging") == "snapshot":
        search.ids = list(rows.order_by(*sorts).values_list("pk", flat=True))
    with _lock:
        _searches[search.token] = search
        while len(_searches) > KEPT:
            _searches.popitem(last=False)
    return search


def resume(page_token: str) -> tuple[Search, int]:
    """The search of a next link, and which page it asks for."""
    token, _, number = page_token.rpartition("-")
    with _lock:
        search = _searches.get(token)
    if search is None or not number.isdecimal():
        raise Refused(410, "expired", "this page link is no longer valid")
    if switches.get("emr.next") == "filters_dropped":
        # Seen on a real server: page two knows nothing of the search.
        everything = Resource.objects.filter(type=search.kind, deleted=False)
        ids = list(everything.order_by("id").values_list("pk", flat=True))
        search = Search(search.kind, search.params, search.count, everything, ["id"], ids, token)
    return search, int(number)


def forget() -> None:
    with _lock:
        _searches.clear()


def page(search: Search, number: int) -> tuple[list[Resource], int, bool]:
    """(rows of page ``number`` from 1, how many match in all, is there a next page)."""
    first = (number - 1) * search.count
    last = first + search.count
    if switches.get("emr.paging") == "snapshot" and (search.ids or number > 1):
        found = Resource.objects.in_bulk(search.ids[first:last])
        # A row deleted since the snapshot is left out, as HAPI does.
        rows = [found[pk] for pk in search.ids[first:last] if pk in found]
        rows = [row for row in rows if not row.deleted]
        total = len(search.ids)
    else:
        total = search.rows.count()
        rows = list(search.rows.order_by(*_live_sorts(search))[first:last])
    more = bool(search.count) and last < total
    return rows, total, more and switches.get("emr.paging") != "truncated"


def _live_sorts(search: Search) -> list[str]:
    if switches.get("emr.unstable_ties") and not search.sorts[-1].endswith("id"):
        # Real servers lose rows here: ties come in another order each time.
        return [*search.sorts, "?"]
    if switches.get("emr.unstable_ties") and search.sorts == ["id"]:
        return [random.choice(["id", "-id"])]
    return search.sorts


def _sorts(wish: str) -> list[str]:
    sorts = []
    for name in filter(None, wish.split(",")):
        minus, key = ("-", name[1:]) if name.startswith("-") else ("", name)
        if key not in SORTS:
            raise Refused(400, "not-supported", f"cannot sort by {key}")
        sorts.append(minus + SORTS[key])
    if not sorts:
        return ["id"]
    if not switches.get("emr.unstable_ties") and not sorts[-1].endswith("id"):
        sorts.append("id")
    return sorts


def _narrow(kind: str, rows: QuerySet[Resource], name: str, value: str) -> QuerySet[Resource]:
    if name in CONTROLS:
        return rows
    base, _, modifier = name.partition(":")
    if base not in known_params(kind):
        match switches.get("emr.unknown_param"):
            case "ignored":
                return rows
            case "empty":
                return rows.none()
        raise Refused(400, "not-supported", f"unknown search parameter {name}")
    if base == "_id":
        return rows.filter(rid__in=value.split(","))
    if base == "status":
        wanted = [code.rpartition("|")[2] for code in value.split(",")]
        if modifier == "not":
            return rows.exclude(status__in=wanted)
        return rows.filter(status__in=wanted)
    if base in ("date", "_lastUpdated"):
        return _by_time(rows, base, value)
    either = Q()
    for item in value.split(","):
        either |= _token_query(base, item)
    hits = Token.objects.filter(either, param=base).values("resource_id")
    return rows.filter(pk__in=hits)


def _token_query(param: str, value: str) -> Q:
    if param == "identifier":
        system, bar, code = value.rpartition("|")
        query = Q(value=code) if code else Q()
        return query & Q(system=system) if bar else query
    if param in REFERENCES:
        reference = value if "/" in value else f"{REFERENCES[param]}/{value}"
        return Q(value=reference)
    if param == "name":
        return Q(value__startswith=value.casefold())
    if param == "email":
        return Q(value=value.rpartition("|")[2].casefold())
    return Q(value=value)


def _by_time(rows: QuerySet[Resource], param: str, value: str) -> QuerySet[Resource]:
    """Prefixes over a value that stands for a span: a day, a second, a millisecond."""
    column = "start" if param == "date" else "last_updated"
    prefix = re.match(r"[a-z]{2}", value)
    how = prefix.group() if prefix else "eq"
    low, high = _span(value[2:] if prefix else value)
    whole_seconds = switches.get("emr.last_updated") == "seconds"
    if param == "_lastUpdated" and whole_seconds:
        # The server only knows seconds: compare as if every row were at its second.
        low, high = _second_up(low), _second_up(high)
    match how:
        case "eq":
            return rows.filter(**{f"{column}__gte": low, f"{column}__lt": high})
        case "ne":
            return rows.exclude(**{f"{column}__gte": low, f"{column}__lt": high})
        case "ge":
            return rows.filter(**{f"{column}__gte": low})
        case "gt" | "sa":
            return rows.filter(**{f"{column}__gte": high})
        case "le":
            return rows.filter(**{f"{column}__lt": high})
        case "lt" | "eb":
            return rows.filter(**{f"{column}__lt": low})
    raise Refused(400, "value", f"{param}: unknown prefix {how}")


def _second_up(at: datetime) -> datetime:
    return at if not at.microsecond else at.replace(microsecond=0) + timedelta(seconds=1)


def _span(text: str) -> tuple[datetime, datetime]:
    """[low, high) of a FHIR date or dateTime; a day is a day in UTC."""
    text = text.replace(" ", "+")  # a "+" that came unescaped
    if re.fullmatch(r"\d{4}(-\d\d){0,2}", text):
        parts = [int(part) for part in text.split("-")]
        try:
            year, month, day = [*parts, 1, 1][:3]
            low = datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            raise Refused(400, "value", "no such date") from None
        if len(parts) == 3:
            return low, low + timedelta(days=1)
        years, months = (1, 0) if len(parts) == 1 else (0, 1)
        following = low.month - 1 + months
        return low, low.replace(year=low.year + years + following // 12, month=following % 12 + 1)
    at = instant(text)
    if at is None:
        raise Refused(400, "value", "no date or instant with an offset")
    fine = "." in text
    return at, at + timedelta(milliseconds=1 if fine else 1_000)


def included(rows: list[Resource], wishes: list[str]) -> list[Resource]:
    """``_include=Appointment:patient`` and its sisters: the resources referred to."""
    names = {wish.split(":")[1] for wish in wishes if wish.count(":") >= 1}
    params = set(REFERENCES) if {"*", "actor"} & names else names & set(REFERENCES)
    wanted = Token.objects.filter(resource__in=rows, param__in=params)
    query = Q(pk__in=[])
    for reference in set(wanted.values_list("value", flat=True)):
        kind, _, rid = reference.partition("/")
        query |= Q(type=kind, rid=rid)
    return list(Resource.objects.filter(query, deleted=False))
