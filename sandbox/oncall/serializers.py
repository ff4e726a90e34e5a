"""What practice OnCall accepts: DRF's own fields, so its messages are DRF's own.

Sources: oncall docs "create a new appointment" (required fields, types, 25
participants), reference/metadata (the whole table), reference/400-bad-request.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from sandbox.oncall.models import (
    STATUSES,
    TYPES,
    Contact,
    Division,
    Provider,
)
from sandbox.world import switches

INT32 = 2**31 - 1
MAX_PARTICIPANTS = 25
MAX_KEYS, MAX_KEY_LENGTH, MAX_TEXT = 50, 100, 2_000


class MetadataField(serializers.JSONField):
    """A flat object of strings, 32-bit integers, booleans and nulls."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Metadata must be an object.")
        problems = []
        if len(data) > MAX_KEYS:
            problems.append(f"Metadata may have at most {MAX_KEYS} keys.")
        for key, value in data.items():
            if len(key) > MAX_KEY_LENGTH:
                problems.append(f"Metadata keys may have at most {MAX_KEY_LENGTH} characters.")
            if problem := _value_problem(value):
                problems.append(f"{key[:MAX_KEY_LENGTH]}: {problem}")
        if problems:
            raise serializers.ValidationError(problems)
        return data


def _value_problem(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            return f"Ensure this value has at most {MAX_TEXT} characters."
        return ""
    if isinstance(value, int):
        if not -INT32 - 1 <= value <= INT32:
            return "Ensure this value fits a signed 32 bit integer."
        return ""
    return "Value must be a string, integer, boolean or null."


class ParticipantSerializer(serializers.Serializer):
    """Which fields are required is undocumented: name and e-mail, as clients send."""

    url = serializers.CharField(required=False)
    email = serializers.EmailField()
    name = serializers.CharField(max_length=200, required=False)
    first_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    fee = serializers.DecimalField(
        max_digits=9, decimal_places=2, required=False, allow_null=True, min_value=0
    )
    cancelled = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.get("first_name", ""), attrs.get("last_name", "")
        name = attrs.get("name") or f"{first} {last}".strip()
        if not name:
            raise serializers.ValidationError({"name": ["This field is required."]})
        if not (first or last):
            first, _, last = name.partition(" ")
        return {**attrs, "name": name, "first_name": first, "last_name": last}


class AppointmentSerializer(serializers.Serializer):
    """Input of create (whole) and PATCH (``partial=True``)."""

    title = serializers.CharField(max_length=255)
    datetime = serializers.DateTimeField(required=False, allow_null=True)
    duration = serializers.IntegerField(min_value=1, max_value=INT32)
    type = serializers.ChoiceField(choices=TYPES)
    status = serializers.ChoiceField(choices=STATUSES, required=False)
    cancelled = serializers.BooleanField(required=False)
    division = serializers.HyperlinkedRelatedField(
        view_name="division-detail", queryset=Division.objects.all()
    )
    provider = serializers.HyperlinkedRelatedField(
        view_name="provider-detail", queryset=Provider.objects.all(), required=False
    )
    participants = ParticipantSerializer(many=True)
    metadata = MetadataField(required=False, allow_null=True)

    def validate_participants(self, value: list[Any]) -> list[Any]:
        if not value:
            raise serializers.ValidationError("This list may not be empty.")
        if len(value) > MAX_PARTICIPANTS:
            raise serializers.ValidationError(
                f"Ensure this field has no more than {MAX_PARTICIPANTS} elements."
            )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        problems: dict[str, list[str]] = {}
        caller = self.context["caller"]
        if self.instance is None:
            if caller.provider is not None:
                attrs.setdefault("provider", caller.provider)
            elif "provider" not in attrs:
                problems["provider"] = ["This field is required."]
        else:
            self._judge_patch(attrs, problems)
        kind = attrs.get("type", getattr(self.instance, "type", None))
        at = attrs.get("datetime", getattr(self.instance, "starts_at", None))
        touched = self.instance is None or {"type", "datetime"} & set(attrs)
        if kind != "message" and at is None and touched:
            problems["datetime"] = ["This field is required."]
        if problems:
            raise serializers.ValidationError(problems)
        return attrs

    def _judge_patch(self, attrs: dict[str, Any], problems: dict[str, list[str]]) -> None:
        """Undocumented corners of PATCH, each behind its switch."""
        if self.instance.cancelled:
            if attrs.get("cancelled") is False:
                if switches.get("oncall.uncancel") == "400":
                    problems["cancelled"] = ["Cancelled appointments stay cancelled."]
                del attrs["cancelled"]
            others = set(attrs) - {"cancelled"}
            if others and switches.get("oncall.patch_on_cancelled") == "400":
                problems["non_field_errors"] = ["This appointment is cancelled."]
        if "provider" in attrs and attrs["provider"] != self.instance.provider:
            habit = switches.get("oncall.provider_patch")
            if habit == "400":
                problems["provider"] = ["The provider cannot be changed."]
            elif habit == "ignored":
                del attrs["provider"]


class ContactSerializer(serializers.Serializer):
    first_name = serializers.CharField(max_length=100)
    last_name = serializers.CharField(max_length=100)
    email = serializers.EmailField()
    phone = serializers.CharField(max_length=40, required=False, allow_blank=True)
    sex = serializers.CharField(max_length=20, required=False)
    date_of_birth = serializers.DateField(required=False, allow_null=True)
    division = serializers.HyperlinkedRelatedField(
        view_name="division-detail", queryset=Division.objects.all(), required=False
    )
    custom_field_values = serializers.DictField(required=False)

    def create(self, validated_data: dict[str, Any]) -> Contact:
        return Contact.objects.create(**validated_data)

    def update(self, instance: Contact, validated_data: dict[str, Any]) -> Contact:
        # Custom fields merge per key (oncall docs, reference/custom-fields).
        values = instance.custom_field_values | validated_data.pop("custom_field_values", {})
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.custom_field_values = values
        instance.save()
        return instance
