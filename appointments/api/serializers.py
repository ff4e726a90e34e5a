"""Rows as the API promises them (design, section 7). The sentences come from ``wording``."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from appointments import wording
from appointments.api import shapes
from appointments.core.kinds import Action
from appointments.models import Appointment, Baseline, Delivery, Mismatch, Pair, Push, Run
from emr_adapters.records import ABSENT, AppointmentRecord

Json = dict[str, Any]


class Named(serializers.SlugRelatedField):  # type: ignore[type-arg]
    """A related row by its name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(slug_field="name", read_only=True, **options)


@extend_schema_field(str)
class Name(Named):
    pass


class AppointmentSerializer(serializers.ModelSerializer[Appointment]):
    connection = Name()
    division = Name()
    oncall_id = serializers.SerializerMethodField()
    emr_id = serializers.SerializerMethodField()
    state = serializers.SerializerMethodField()
    start = serializers.SerializerMethodField()
    type = serializers.SerializerMethodField()
    provider = serializers.SerializerMethodField()
    people = serializers.SerializerMethodField()
    label = serializers.SerializerMethodField()  # type: ignore[assignment]  # a field of that name
    outcome = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField()
    pair = serializers.SerializerMethodField()
    scope = serializers.SerializerMethodField()
    gone = serializers.SerializerMethodField()

    class Meta:
        model = Appointment
        fields = [
            "id", "side", "connection", "remote_id", "oncall_id", "emr_id", "division", "state", "start",
            "minutes", "type", "provider", "people", "label", "outcome", "problems", "pair", "scope",
            "gone", "changed_at",
        ]  # fmt: skip

    def get_oncall_id(self, row: Appointment) -> str | None:
        return half_id(pair_of(row), "oncall")

    def get_emr_id(self, row: Appointment) -> str | None:
        return half_id(pair_of(row), "emr")

    def get_state(self, row: Appointment) -> str | None:
        return row.state or None

    def get_start(self, row: Appointment) -> str | None:
        return row.start.astimezone(UTC).isoformat().replace("+00:00", "Z") if row.start else None

    def get_type(self, row: Appointment) -> str | None:
        types = record_of(row).types
        return types[0] if types is not ABSENT and types else None

    @extend_schema_field(shapes.Provider(allow_null=True))
    def get_provider(self, row: Appointment) -> Json | None:
        who = record_of(row).practitioners
        if who is ABSENT or not who:
            return None
        return {"id": who[0].id, "name": who[0].name}

    @extend_schema_field(shapes.Person(many=True, allow_null=True))
    def get_people(self, row: Appointment) -> list[Json] | None:
        people = record_of(row).people
        if people is ABSENT:
            return None
        return [{"name": person.name, "email": person.email} for person in people]

    def get_label(self, row: Appointment) -> str | None:
        title = record_of(row).title
        return None if title is ABSENT else title

    def get_outcome(self, row: Appointment) -> str | None:
        outcome = record_of(row).outcome
        return str(outcome) if outcome else None

    @extend_schema_field(shapes.Problem(many=True))
    def get_problems(self, row: Appointment) -> list[Json]:
        return [{"code": p.code, "detail": p.detail} for p in record_of(row).problems]

    def get_pair(self, row: Appointment) -> int | None:
        pair = pair_of(row)
        return pair.pk if pair else None

    def get_scope(self, row: Appointment) -> str | None:
        pair = pair_of(row)
        return pair.scope or None if pair else None

    def get_gone(self, row: Appointment) -> bool:
        return row.gone_at is not None


def record_of(row: Appointment) -> AppointmentRecord:
    """Read once for all fields of a row."""
    known: AppointmentRecord | None = row.__dict__.get("_api_record")
    if known is None:
        known = row.__dict__["_api_record"] = row.as_record()
    return known


def pair_of(row: Appointment) -> Pair | None:
    found: Pair | None = getattr(row, f"pair_as_{row.side}", None)
    return found


def half_id(pair: Pair | None, side: str) -> str | None:
    half = getattr(pair, side) if pair else None
    return half.remote_id if half else None


class BaselineSerializer(serializers.ModelSerializer[Baseline]):
    class Meta:
        model = Baseline
        fields = ["group", "oncall", "emr", "unconfirmed", "moved_at"]


class PairSerializer(serializers.ModelSerializer[Pair]):
    division = Name()
    oncall_id = serializers.SerializerMethodField()
    emr_id = serializers.SerializerMethodField()
    status = serializers.CharField(read_only=True)
    scope = serializers.SerializerMethodField()
    scope_reason = serializers.SerializerMethodField()
    baseline = BaselineSerializer(source="baselines", many=True, read_only=True)

    class Meta:
        model = Pair
        fields = [
            "id", "oncall_id", "emr_id", "division", "status", "scope", "scope_reason", "linked_by",
            "baseline", "agreed_at",
        ]  # fmt: skip

    def get_oncall_id(self, row: Pair) -> str | None:
        return half_id(row, "oncall")

    def get_emr_id(self, row: Pair) -> str | None:
        return half_id(row, "emr")

    def get_scope(self, row: Pair) -> str | None:
        return row.scope or None

    def get_scope_reason(self, row: Pair) -> str | None:
        return wording.scope_sentence(row.scope, row) if row.scope else None


class MismatchSerializer(serializers.ModelSerializer[Mismatch]):
    closed_because = serializers.SerializerMethodField()
    division = Name()
    oncall_connection = serializers.SerializerMethodField()
    oncall_id = serializers.SerializerMethodField()
    emr_connection = serializers.SerializerMethodField()
    emr_id = serializers.SerializerMethodField()
    groups = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    choices = serializers.SerializerMethodField()

    class Meta:
        model = Mismatch
        fields = [
            "id", "kind", "status", "closed_because", "division", "oncall_connection", "oncall_id",
            "emr_connection", "emr_id", "groups", "reason", "choices", "version",
        ]  # fmt: skip

    def get_closed_because(self, row: Mismatch) -> str | None:
        return row.closed_because or None

    def get_oncall_connection(self, row: Mismatch) -> str | None:
        return row.division.oncall.name if row.division else None

    def get_oncall_id(self, row: Mismatch) -> str | None:
        return row.oncall_id or None

    def get_emr_connection(self, row: Mismatch) -> str | None:
        return row.division.emr.name if row.division else None

    def get_emr_id(self, row: Mismatch) -> str | None:
        return row.emr_id or None

    @extend_schema_field(serializers.DictField(child=shapes.Stated()))
    def get_groups(self, row: Mismatch) -> Json:
        return {
            group: {word: stated.get(word) for word in ("oncall", "emr", "baseline")}
            for group, stated in row.groups.items()
        }

    def get_reason(self, row: Mismatch) -> str:
        return wording.reason_sentence(row)

    @extend_schema_field(shapes.Choice(many=True))
    def get_choices(self, row: Mismatch) -> list[Json]:
        return [choice_json(choice, row) for choice in row.choices]


def choice_json(choice: Json, mismatch: Mismatch) -> Json:
    plans = choice.get("plans") or {}
    # Where one of several must be picked, the writes differ in that one only.
    plan = choice.get("plan") or next(iter(plans.values()), None)
    shown = {
        "action": choice["action"],
        "label": wording.choice_label(choice, mismatch),
        "preview": preview(plan),
        "recommended": choice["recommended"],
        "irreversible": choice["irreversible"],
    }
    targets = choice.get("targets") or []
    if targets:
        shown["target"] = [{"id": target["id"], "label": target["label"]} for target in targets]
    return shown


def preview(plan: Json | None) -> Json:
    """The exact write: to whom, what, and who is mailed."""
    if plan is None:
        return {"side": None, "fields": {}, "mails": []}
    fields = dict(plan["values"])
    if plan.get("operation") == "cancel":
        fields["state"] = "cancelled"
    if plan.get("reference") is not None:
        fields["reference"] = plan["reference"]
    return {"side": plan["side"], "fields": fields, "mails": list(plan["mails"])}


class ResolveSerializer(serializers.Serializer[Any]):
    action = serializers.CharField(help_text=", ".join(Action))
    version = serializers.CharField()
    target = serializers.CharField(required=False, allow_blank=True, allow_null=True)


class UndoSerializer(serializers.Serializer[Any]):
    version = serializers.CharField()


class PushSerializer(serializers.ModelSerializer[Push]):
    division = Name()
    connection = Name()
    oncall_id = serializers.SerializerMethodField()
    emr_id = serializers.SerializerMethodField()
    fields_written = serializers.SerializerMethodField()
    user = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField()

    class Meta:
        model = Push
        fields = [
            "id", "pair", "mismatch", "division", "connection", "side", "operation", "kind", "oncall_id",
            "emr_id", "status", "words", "fields_written", "before", "mails", "automatic", "action", "user",
            "not_before", "attempts", "sent_at", "created_at", "finished_at", "error_code", "error",
        ]  # fmt: skip

    def get_oncall_id(self, row: Push) -> str | None:
        return half_id(row.pair, "oncall")

    def get_emr_id(self, row: Push) -> str | None:
        return half_id(row.pair, "emr")

    @extend_schema_field(serializers.DictField())
    def get_fields_written(self, row: Push) -> Json:
        fields: Json = preview(row.plan)["fields"] if row.plan else {}
        return fields

    def get_user(self, row: Push) -> str | None:
        return row.user.get_username() if row.user else None

    def get_words(self, row: Push) -> str:
        return wording.push_sentence(row)


class RunSerializer(serializers.ModelSerializer[Run]):
    connection = Name()
    side = serializers.CharField(source="connection.side", read_only=True)
    words = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = [
            "id", "connection", "side", "kind", "status", "words", "first_began_at", "began_at",
            "finished_at", "repeats", "pages", "read", "changed", "unreadable", "window_start",
            "window_end", "error",
        ]  # fmt: skip

    def get_words(self, row: Run) -> str:
        return wording.run_sentence(row)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    connection = Name()
    oncall_id = serializers.CharField(source="remote_id", read_only=True)
    words = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = [
            "id", "connection", "event", "oncall_id", "status", "words", "received_at", "not_before",
            "attempts", "finished_at", "error",
        ]  # fmt: skip

    def get_words(self, row: Delivery) -> str:
        return wording.delivery_sentence(row)
