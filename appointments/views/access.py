"""Who may see and do what, what was shown to whom, and how a page answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from appointments import audit
from appointments.models import Connection, Division, Pair, Role
from appointments.notices import urgent

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
PAGE_SIZE = 30
SILENT_AFTER = timedelta(minutes=30)  # a connection that has not answered for so long is in trouble


def signed_in(view: View[P]) -> View[P]:
    """Only for people who have signed in; nothing of an answer is kept by a browser or proxy.

    A fragment that is asked for after the session has ended sends the whole page to the sign-in.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        answer = view(request, *args, **kwargs)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return cast("View[P]", wrapped)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if is_fragment(request):
        page = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(redirect_to_login(page).url)
    page = request.get_full_path() if request.method == "GET" else "/"
    return redirect_to_login(page)


def is_fragment(request: HttpRequest) -> bool:
    """Does htmx ask, to swap a part of a page?"""
    return bool(getattr(request, "htmx", False))


def divisions_of(user: Any) -> QuerySet[Division]:
    return Division.objects.for_user(user).select_related("oncall", "emr")


def connections_of(divisions: QuerySet[Division]) -> QuerySet[Connection]:
    """The connections that these divisions use."""
    ids = divisions.order_by()
    used = Q(pk__in=ids.values("oncall")) | Q(pk__in=ids.values("emr"))
    return Connection.objects.filter(used)


def settles_in(user: Any) -> frozenset[int]:
    """The divisions in which this account may decide and send."""
    return frozenset(_settling(user).values_list("pk", flat=True))


def _settling(user: Any) -> QuerySet[Division]:
    return Division.objects.with_role(user, Role.STAFF, Role.ADMINISTRATOR)


def administers(user: Any, division: Division | None) -> bool:
    if division is None:
        return bool(user.is_superuser)
    return Division.objects.with_role(user, Role.ADMINISTRATOR).filter(pk=division.pk).exists()


def require_settling(user: Any, division_id: int | None) -> None:
    if division_id not in settles_in(user):
        raise PermissionDenied


def record_view(
    request: HttpRequest, page: str, subjects: Iterable[object], pair: Pair | None = None
) -> None:
    """Law 10: one audit row a request, naming the visits shown. Nothing shown, nothing recorded."""
    named = list(dict.fromkeys(str(subject) for subject in subjects))
    if named:
        details = {"page": page, "search": request.method == "POST"}
        audit.record(verb="viewed", user=request.user, pair=pair, subjects=named, details=details)
        urgent.note_opened(page, named, _settling(request.user))


def paged(request: HttpRequest, rows: QuerySet[Any]) -> Page[Any]:
    """The asked-for page; a number out of range gives the nearest. Searches send theirs by POST."""
    number = request.POST.get("page") or request.GET.get("page") or 1
    return Paginator(rows, PAGE_SIZE).get_page(number)


def query_without_page(request: HttpRequest) -> str:
    """The filters as a query string, to put a page number behind."""
    kept = request.GET.copy()
    kept.pop("page", None)
    return kept.urlencode()


def back(
    request: HttpRequest, default: str, sentence: str = "", level: int = messages.INFO
) -> HttpResponse:
    """To the page a plain form came from, with a sentence that names nobody."""
    if sentence:
        messages.add_message(request, level, sentence)
    return redirect(safe_page(request, request.POST.get("next", ""), default))


def safe_page(request: HttpRequest, page: str, default: str) -> str:
    """``page`` if it is one of ours: an address that a form carried may be anybody's."""
    safe = url_has_allowed_host_and_scheme(
        page, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return page if safe else default
