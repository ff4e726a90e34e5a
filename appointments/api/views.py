"""Lists and single rows for other programs; a mismatch is settled by one POST."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from appointments import audit, resolution
from appointments.api import filters, serializers, shapes
from appointments.api.pairs import with_status
from appointments.api.permissions import MaySettle
from appointments.models import (
    Appointment,
    Connection,
    Delivery,
    Division,
    Mismatch,
    Pair,
    Push,
    Run,
)

Rows = QuerySet[Any, Any]


class Pages(PageNumberPagination):
    page_size_query_param = "page_size"
    max_page_size = 200


class ReadView(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Any]):
    """What a person may see, in pages. ``visits_of`` names the visits that a row shows (law 10)."""

    pagination_class = Pages
    resource = ""

    def get_queryset(self) -> Rows:
        if getattr(self, "swagger_fake_view", False):  # the schema is made without a user
            model: Any = self.serializer_class.Meta.model  # type: ignore[union-attr]
            return model._default_manager.none()  # type: ignore[no-any-return]
        return self.rows(self.request.user)

    def rows(self, user: Any) -> Rows:
        raise NotImplementedError

    def visits_of(self, rows: Iterable[Any]) -> list[Any]:
        return []

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        self.record_view(page)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        row = self.get_object()
        self.record_view([row])
        return Response(self.get_serializer(row).data)

    def record_view(self, rows: Iterable[Any]) -> None:
        """One audit row a request; nothing shown, nothing recorded."""
        visits = list(dict.fromkeys(v for v in self.visits_of(rows) if v is not None))
        if visits:
            details = {"page": f"api:{self.resource}"}
            audit.record(verb="viewed", user=self.request.user, subjects=visits, details=details)


class AppointmentView(ReadView):
    """What each side last said about each visit."""

    resource = "appointments"
    serializer_class = serializers.AppointmentSerializer
    filterset_class = filters.AppointmentFilter

    def rows(self, user: Any) -> Rows:
        related = ("connection", "division", "pair_as_oncall__emr", "pair_as_emr__oncall")
        return Appointment.objects.for_user(user).select_related(*related).defer("raw")

    def visits_of(self, rows: Iterable[Any]) -> list[Any]:
        pairs = [(row, serializers.pair_of(row)) for row in rows]
        return [pair.pk if pair else f"{row.side}:{row.remote_id}" for row, pair in pairs]


class PairView(ReadView):
    """Visits: which two records belong together, and how they stand."""

    resource = "pairs"
    serializer_class = serializers.PairSerializer
    filterset_class = filters.PairFilter

    def rows(self, user: Any) -> Rows:
        pairs = Pair.objects.for_user(user).select_related("division", "oncall", "emr")
        return with_status(pairs.prefetch_related("baselines").defer("oncall__raw", "emr__raw"))

    def visits_of(self, rows: Iterable[Any]) -> list[Any]:
        return [row.pk for row in rows]


ANSWERS = {
    200: serializers.MismatchSerializer,
    400: shapes.Detail,
    403: shapes.Detail,
    404: shapes.Detail,
    409: serializers.MismatchSerializer,
    422: shapes.Detail,
}


@extend_schema_view(
    resolve=extend_schema(request=serializers.ResolveSerializer, responses=ANSWERS),
    undo=extend_schema(request=serializers.UndoSerializer, responses=ANSWERS),
)
class MismatchView(ReadView):
    """Differences that a person has to look at, with what can be done about each."""

    resource = "mismatches"
    serializer_class = serializers.MismatchSerializer
    filterset_class = filters.MismatchFilter

    def rows(self, user: Any) -> Rows:
        related = ("division__oncall", "division__emr", "connection", "pair")
        return Mismatch.objects.for_user(user).select_related(*related)

    def visits_of(self, rows: Iterable[Any]) -> list[Any]:
        return [row.pair_id for row in rows]

    def get_permissions(self) -> list[BasePermission]:
        settles = self.action in ("resolve", "undo")
        return [IsAuthenticated(), *([MaySettle()] if settles else [])]

    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Carry out one choice; ``version`` says what was on the screen when it was made."""
        return self._settle(serializers.ResolveSerializer, resolution.resolve)

    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str) -> Response:
        """Take the last choice back, or write the old values again."""
        return self._settle(serializers.UndoSerializer, resolution.undo)

    def _settle(self, shape: type[BaseSerializer[Any]], stage: Callable[..., Mismatch]) -> Response:
        mismatch = self.get_object()
        asked = shape(data=self.request.data)
        asked.is_valid(raise_exception=True)
        words = {name: value or "" for name, value in asked.validated_data.items()}
        try:
            settled = stage(mismatch_id=mismatch.pk, user=self.request.user, **words)
        except resolution.Stale as stale:
            fresh = self._shown(stale.mismatch)
            self.record_view([fresh])
            return Response(self.get_serializer(fresh).data, status=status.HTTP_409_CONFLICT)
        except resolution.NotOffered as refused:
            code = status.HTTP_422_UNPROCESSABLE_ENTITY
            return Response({"detail": str(refused.reason)}, status=code)
        return Response(self.get_serializer(self._shown(settled)).data)

    def _shown(self, mismatch: Mismatch) -> Mismatch:
        """As it is now. By its number alone: a click may have moved the visit out of what one sees."""
        fresh: Mismatch = Mismatch.objects.select_related(
            "division__oncall", "division__emr", "connection", "pair"
        ).get(pk=mismatch.pk)
        return fresh


class PushView(ReadView):
    """Writes to either system: waiting, under way, done and failed; kept for ever."""

    resource = "pushes"
    serializer_class = serializers.PushSerializer
    filterset_class = filters.PushFilter

    def rows(self, user: Any) -> Rows:
        related = ("division", "connection", "pair__oncall", "pair__emr", "user")
        pushes = Push.objects.for_user(user).select_related(*related)
        return pushes.defer("pair__oncall__raw", "pair__emr__raw")

    def visits_of(self, rows: Iterable[Any]) -> list[Any]:
        return [row.pair_id for row in rows]


class RunView(ReadView):
    """Lists read from either system, and whether they were complete."""

    resource = "runs"
    serializer_class = serializers.RunSerializer
    filterset_class = filters.RunFilter

    def rows(self, user: Any) -> Rows:
        return Run.objects.filter(connection__in=connections_of(user)).select_related("connection")


class DeliveryView(ReadView):
    """Webhook requests as they arrived, and what became of them."""

    resource = "deliveries"
    serializer_class = serializers.DeliverySerializer
    filterset_class = filters.DeliveryFilter

    def rows(self, user: Any) -> Rows:
        """Those of the user's connections, but not about visits of divisions that are not theirs."""
        others = Appointment.objects.filter(
            connection=OuterRef("connection"), remote_id=OuterRef("remote_id")
        ).exclude(division__in=Division.objects.for_user(user))
        mine = Delivery.objects.webhooks().filter(
            ~Exists(others), connection__in=connections_of(user)
        )
        return mine.select_related("connection").defer("body")


def connections_of(user: Any) -> QuerySet[Connection, Connection]:
    """The connections of the divisions this account may see."""
    divisions = Division.objects.for_user(user)
    used = Connection.objects.filter(oncall_divisions__in=divisions)
    return (used | Connection.objects.filter(emr_divisions__in=divisions)).distinct()
