"""OnCall's webhook: store what arrived, answer, hand over. No request is made here (law 7).

Nobody knows how OnCall sends (oncall-api.md, 7), so whatever can be read is read. What is used of it
is the number at the end of ``url``; the record itself is read from the configured address later.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.cache import cache
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.request import UnreadablePostError
from django.urls import re_path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from appointments import nudges, remotes
from appointments.models import Connection, Delivery, Refusal
from appointments.models.encrypted import CannotDecrypt
from emr_adapters.errors import NotConfigured
from emr_adapters.records import Side

MOST_BYTES: Final = 64 * 1024
KNOWN_EVENTS: Final = frozenset({"appointment_created", "appointment_updated"})
RECORD_PATH: Final = re.compile(r".*/appointments/([0-9]{1,18})/?")
NOT_IN_A_URL: Final = re.compile(r"[\x00-\x20\x7f]")
WRONG_TOKENS: Final = 20  # of one address, in a window; a right token is never held back
WINDOW_SECONDS: Final = 60


@dataclass
class Refused(Exception):
    """``reason`` is counted and shown; ``words`` are the answer."""

    status: int
    reason: Refusal.Reason
    words: str


@dataclass(frozen=True, slots=True)
class Hint:
    event: str
    remote_id: str
    body: dict[str, Any]


@csrf_exempt
@never_cache
def receive(request: HttpRequest, token: str) -> HttpResponse:
    if request.method != "POST":
        count_refusal(Refusal.Reason.METHOD)
        return HttpResponseNotAllowed(["POST"])
    try:
        connection = connection_of(token, request.META.get("REMOTE_ADDR", ""))
        check_media_type(request)
        hint = read_hint(read_body(request))
    except Refused as refused:
        count_refusal(refused.reason)
        answer = JsonResponse({"detail": refused.words}, status=refused.status)
        if refused.status == 429:
            answer["Retry-After"] = str(WINDOW_SECONDS)
        return answer
    delivery = keep(connection, hint)
    return JsonResponse({"id": delivery.pk, "status": delivery.status}, status=202)


def keep(connection: Connection, hint: Hint) -> Delivery:
    """The row and its task, both or neither."""
    known = hint.event in KNOWN_EVENTS
    now = timezone.now()
    with transaction.atomic():
        delivery = Delivery.objects.create(
            connection=connection,
            event=hint.event,
            remote_id=hint.remote_id,
            body=hint.body,  # JSON, kept as encrypted text
            status=Delivery.Status.STORED if known else Delivery.Status.IGNORED,
            received_at=now,
            not_before=now,
            finished_at=None if known else now,
        )
        if known:
            nudges.enqueue("read_delivery", delivery.pk)
    return delivery


# --- who sends --------------------------------------------------------------------------------------------


def connection_of(token: str, address: str) -> Connection:
    """The OnCall connection whose token this is. Compares with all of them, in constant time.

    Raises CannotDecrypt where it could be that of one whose credentials cannot be read: a server error, after
    which the sender may come again, not a refusal.
    """
    found = None
    unread: CannotDecrypt | None = None
    given = token.encode("utf-8", "replace")
    for connection in Connection.objects.filter(side=Side.ONCALL):
        try:
            tokens = tokens_of(connection)
        except CannotDecrypt as error:
            unread = error
            continue
        for known in tokens:
            if hmac.compare_digest(known.encode("utf-8", "replace"), given):
                found = found or connection
    if found is not None:
        return found
    if unread is not None:
        raise unread
    if wrong_tokens_from(address) > WRONG_TOKENS:
        raise Refused(429, Refusal.Reason.RATE, "Too many requests with a wrong token.")
    raise Refused(404, Refusal.Reason.TOKEN, "Not found.")


def tokens_of(connection: Connection) -> list[str]:
    """One token, or two while it is being changed."""
    stored = connection.credentials.get("webhook_token") or []
    tokens = []
    for value in [stored] if isinstance(stored, str) else stored:
        try:
            tokens.append(remotes.resolve_secret(value))
        except NotConfigured:
            continue
    return [token for token in tokens if token]


def wrong_tokens_from(address: str) -> int:
    key = f"webhook-wrong-token:{address}"
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two lines
        return 1


# --- what was sent ------------------------------------------------------------------------------------------


def check_media_type(request: HttpRequest) -> None:
    declared = (request.content_type or "").lower()
    if declared and "json" not in declared and not declared.startswith("text/"):
        raise Refused(415, Refusal.Reason.TYPE, "The body must be JSON.")


def read_body(request: HttpRequest) -> bytes:
    too_large = Refused(
        413, Refusal.Reason.TOO_LARGE, f"The body is larger than {MOST_BYTES} bytes."
    )
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared) > MOST_BYTES:
        raise too_large
    # A body sent in chunks declares no length; Django reads none of it, the server knows its end.
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    try:
        if chunked and request.META.get("wsgi.input_terminated"):
            body: bytes = request.META["wsgi.input"].read(MOST_BYTES + 1)
        else:
            body = request.read(MOST_BYTES + 1)
    except (UnreadablePostError, OSError):
        raise Refused(400, Refusal.Reason.MALFORMED, "The body could not be read.") from None
    if len(body) > MOST_BYTES:
        raise too_large
    return body


def read_hint(raw: bytes) -> Hint:
    try:
        body = json.loads(raw)
        json.dumps(body)  # it is kept: nested too deeply, it could not be
    except (ValueError, RecursionError):
        raise Refused(400, Refusal.Reason.MALFORMED, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, Refusal.Reason.MALFORMED, "The body must be a JSON object.")
    event = body.get("event")
    if not isinstance(event, str) or not event.strip():
        raise Refused(400, Refusal.Reason.MALFORMED, 'The body must name an "event".')
    return Hint(storable(event), remote_id_of(body.get("url")), body)


def remote_id_of(url: object) -> str:
    """The number at the end of the path; the rest of the url is never used."""
    if not isinstance(url, str):
        raise Refused(400, Refusal.Reason.URL, 'The body must hold a "url".')
    strange = Refused(
        400, Refusal.Reason.URL, 'The path of "url" must end in /appointments/ and a number.'
    )
    try:
        path = urlsplit(url).path
    except ValueError:
        raise strange from None
    found = RECORD_PATH.fullmatch(path)
    if found is None or NOT_IN_A_URL.search(url):
        raise strange
    return str(int(found[1]))


def storable(event: str) -> str:
    """As text that every database takes: no NUL, no half of a pair of surrogates."""
    return event.strip().encode("utf-8", "replace").decode().replace("\0", "")[:100]


def count_refusal(reason: Refusal.Reason) -> None:
    day = timezone.now().date()
    Refusal.objects.get_or_create(day=day, reason=reason)
    Refusal.objects.filter(day=day, reason=reason).update(count=F("count") + 1)


urlpatterns = [
    # Without its last slash too: Django would answer with a redirect, and the sender drop the body.
    re_path(r"^webhooks/oncall/(?P<token>[^/]+)/?$", receive, name="webhook_oncall"),
]
