"""Who may configure what, and the frame around every save.

A superuser configures everything; an administrator of a division sees and tunes that division and
gives roles in it. Nobody else gets in, whatever Django's own permissions say.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from appointments.configuration.changing import Outcome, changing
from appointments.configuration.effects import TooMany, effects_of
from appointments.core.plans import digest
from appointments.models import Division, Role

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline


SHOWN: Final = "_effect_shown"
MOST_COMPARED: Final = 1000  # visits: some ten seconds


def administered(user: Any) -> QuerySet[Division]:
    """The divisions that this account configures."""
    return Division.objects.with_role(user, Role.ADMINISTRATOR)


def may_configure(request: HttpRequest) -> bool:
    user: Any = request.user
    if not user.is_active:
        return False
    if user.is_superuser:
        return True
    if not hasattr(user, "_administers"):
        user._administers = administered(user).exists()  # asked some dozen times a page
    return bool(user._administers)


def is_superuser(request: HttpRequest) -> bool:
    user: Any = request.user
    return bool(user.is_active and user.is_superuser)


class ScopedAdmin(ModelAdmin):
    """Shows what ``scope`` leaves; only superusers add, change and delete unless a class says more."""

    list_per_page = 50
    show_full_result_count = False

    def scope(self, rows: QuerySet[Any], divisions: QuerySet[Division]) -> QuerySet[Any]:
        """The rows that belong to these divisions; overridden by each class."""
        return rows.filter(division__in=divisions)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        if is_superuser(request):
            return rows
        return self.scope(rows, administered(request.user)).distinct()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_configure(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_configure(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One by one only, so that what follows is seen; never what visits are known of."""
        return is_superuser(request) and obj is not None and self.is_unused(obj)

    def is_unused(self, obj: Any) -> bool:
        return False


class ConfiguringAdmin(ScopedAdmin):
    """Saves inside ``changing`` and tells what followed.

    ``shows_effect``: what a save would bring is worked out and shown before it is made (law 15). Not for
    forms that hold credentials: the page in between would have to carry them.
    """

    shows_effect = False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        seen = request.POST.get(SHOWN)  # read before the rehearsal's copy would empty the stream
        effects = self._effects(request, object_id) if self.shows_effect else ()
        if effects and seen != digest(effects):
            return self._ask_first(request, effects)
        with changing(user=request.user) as outcome:
            answer = super().changeform_view(request, object_id, form_url, extra_context)
        tell(request, outcome)
        return answer

    def _effects(self, request: HttpRequest, object_id: str | None) -> Sequence[str]:
        """In words; empty where nothing would change, or where the form is refused anyway."""
        rehearsal = copy.copy(request)
        # Messages of a save that is taken back must not reach the person.
        rehearsal._messages = FallbackStorage(rehearsal)  # type: ignore[attr-defined]

        def save() -> None:
            with changing(user=request.user):
                super(ConfiguringAdmin, self).changeform_view(rehearsal, object_id)

        return _in_words(save)

    def _ask_first(self, request: HttpRequest, effects: Sequence[str]) -> HttpResponse:
        moved = SHOWN in request.POST  # the effect is not the one that was shown
        sent = [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if name not in ("csrfmiddlewaretoken", SHOWN)
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": "What this change would bring",
            "effects": effects,
            "sent": sent,
            "shown": SHOWN,
            "shown_digest": digest(effects),
            "moved": moved,
        }
        template = "admin/appointments/effect.html"
        return TemplateResponse(request, template, context, status=409 if moved else 200)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method != "POST":
            # The page asks anyway: it says there what would follow.
            context = {
                **(extra_context or {}),
                "effects": self._effects_of_deletion(request, object_id),
            }
            return super().delete_view(request, object_id, context)
        with changing(user=request.user) as outcome:
            answer = super().delete_view(request, object_id, extra_context)
        tell(request, outcome)
        return answer

    def _effects_of_deletion(self, request: HttpRequest, object_id: str) -> Sequence[str]:
        row = self.get_object(request, object_id) if self.shows_effect else None
        if row is None or not self.has_delete_permission(request, row):
            return []

        def delete() -> None:
            with changing(user=request.user):
                row.delete()

        return _in_words(delete)


def _in_words(change: Callable[[], object]) -> Sequence[str]:
    """What a change would bring; empty where nothing would."""
    try:
        return [str(effect) for effect in effects_of(change, most=MOST_COMPARED)]
    except TooMany:
        return [
            "So many visits are concerned that working it out here would take too long: "
            "`manage.py loadconfig --check` does it. Differences will be asked, not written."
        ]


def tell(request: HttpRequest, outcome: Outcome) -> None:
    for consequence in outcome.consequences:
        messages.warning(request, str(consequence))


class ReadOnlyAdmin(ScopedAdmin):
    """For looking only. Patients' data are left out: those are shown, and recorded, on staff pages."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
