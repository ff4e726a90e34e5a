"""Parts of answers, for the OpenAPI document: nothing is read or written through these."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    pass


class Provider(Shape):
    id = serializers.CharField()
    name = serializers.CharField()


class Person(Shape):
    name = serializers.CharField()
    email = serializers.CharField()


class Problem(Shape):
    code = serializers.CharField()
    detail = serializers.CharField()


class Stated(Shape):
    """What each side and their last agreement say about one group; null: not stated.

    ``when`` is {start (UTC), minutes}, ``provider`` {id, name}, ``people`` [{name, email}], the others text.
    """

    oncall = serializers.JSONField(allow_null=True)
    emr = serializers.JSONField(allow_null=True)
    baseline = serializers.JSONField(allow_null=True)


class Preview(Shape):
    """The exact write, and who will be mailed; ``side`` null where nothing is written."""

    side = serializers.ChoiceField(choices=["oncall", "emr"], allow_null=True)
    fields = serializers.DictField()  # type: ignore[assignment]
    mails = serializers.ListField(child=serializers.CharField())


class Target(Shape):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name


class Choice(Shape):
    action = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    preview = Preview()
    recommended = serializers.BooleanField()
    irreversible = serializers.BooleanField()
    target = Target(many=True, required=False, help_text="Only where one must be picked.")


class Detail(Shape):
    detail = serializers.CharField()
