"""The documented endpoints: list, retrieve, create, PATCH. No PUT, no DELETE."""

from __future__ import annotations

import itertools
from typing import Any

from django.db.models import F, QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from sandbox.oncall import actions, shapes
from sandbox.oncall.models import Appointment, Contact, Division, Provider
from sandbox.oncall.serializers import AppointmentSerializer, ContactSerializer
from sandbox.world import switches

_listings = itertools.count()


class Reading(GenericViewSet):
    """List (paged) and retrieve; ``show`` writes one row out."""

    def show(self, row: Any, shape: shapes.Shape) -> dict[str, Any]:
        raise NotImplementedError

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response([self.show(row, "list") for row in page])

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.show(self.get_object(), "short"))


class AppointmentViewSet(Reading):
    """oncall docs: syncing guide, "create a new appointment", cancel-appointment."""

    lookup_value_regex = r"[0-9]+"

    def get_queryset(self) -> QuerySet[Appointment]:
        found = (
            self.request.user.appointments()
            .select_related("division")
            .prefetch_related("participants")
        )
        if switches.get("oncall.filters") == "honoured":
            found = _filtered(found, self.request.query_params)
        match switches.get("oncall.order"):
            case "datetime":
                return found.order_by("starts_at", "id")
            case "shifting" if self.action == "list":
                # Another order at every request: pages repeat and skip rows.
                turn = next(_listings) % 7 + 2
                return found.order_by(F("id") % turn, "id")
        return found.order_by("id")

    def get_object(self) -> Appointment:
        visible = self.get_queryset()
        number = self.kwargs["pk"]
        if not visible.filter(pk=number).exists():
            self.request.user.refuse_if_hidden(number)
        return get_object_or_404(visible, pk=number)

    def show(self, row: Appointment, shape: shapes.Shape) -> dict[str, Any]:
        return shapes.appointment(row, shape)

    def _checked(self, request: Request, row: Appointment | None) -> dict[str, Any]:
        serializer = AppointmentSerializer(
            row,
            data=request.data,
            partial=row is not None,
            context={"request": request, "caller": request.user},
        )
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def create(self, request: Request) -> Response:
        row = actions.create(self._checked(request, None), "api")
        body = self.show(row, "short")
        return Response(body, status.HTTP_201_CREATED, headers={"Location": body["url"]})

    def partial_update(self, request: Request, pk: str) -> Response:
        row = self.get_object()
        row = actions.change(row.pk, self._checked(request, row), "api")
        return Response(self.show(row, "patch"))


class ProviderViewSet(Reading):
    """Read only (oncall docs, accessible entities)."""

    lookup_value_regex = r"[0-9]+"
    queryset = Provider.objects.prefetch_related("divisions").order_by("id")

    def show(self, row: Provider, shape: shapes.Shape) -> dict[str, Any]:
        return shapes.provider(row)


class ContactViewSet(Reading):
    """The roster; an e-mail that exists is a 400 with a bare list."""

    lookup_value_regex = r"[0-9]+"
    queryset = Contact.objects.order_by("id")

    def show(self, row: Contact, shape: shapes.Shape) -> dict[str, Any]:
        return shapes.contact(row)

    def create(self, request: Request) -> Response:
        serializer = ContactSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        email = serializer.validated_data["email"]
        if Contact.objects.filter(email__iexact=email).exists():
            raise ValidationError(["Contact already exists."])
        return Response(shapes.contact(serializer.save()), status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        serializer = ContactSerializer(self.get_object(), data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return Response(shapes.contact(serializer.save()))


class DivisionViewSet(GenericViewSet):
    """Only ever seen as a link; whether it can be read is a switch."""

    queryset = Division.objects.order_by("id")
    lookup_value_regex = r"[0-9]+"

    def retrieve(self, request: Request, pk: str) -> Response:
        if switches.get("oncall.division_detail") == "404":
            return Response({"detail": "Not found."}, status.HTTP_404_NOT_FOUND)
        row = self.get_object()
        return Response({"url": shapes.url("divisions", row.pk), "name": row.name})


def _filtered(found: QuerySet[Appointment], query: Any) -> QuerySet[Appointment]:
    """Filters as one might hope for; real ones are undocumented."""
    for name in ("division", "provider"):
        if number := query.get(name, "").rstrip("/").rpartition("/")[2]:
            found = found.filter(**{f"{name}_id": number})
    if kind := query.get("type"):
        found = found.filter(type=kind)
    if gone := query.get("cancelled"):
        found = found.filter(cancelled=gone.lower() == "true")
    return found
