"""Codes and values → sentences for people, translatable, in one place.

Nothing else in the product writes a sentence about a visit. Everything here is a pure function of rows
and JSON; times are shown in the division's zone. No function returns an empty text.
"""

from __future__ import annotations

from appointments.wording.choices import (
    choice_label,
    confirmation_sentence,
    preview_lines,
    refused_in_mode,
    target_question,
    undo_lines,
)
from appointments.wording.happenings import (
    audit_sentence,
    delivery_sentence,
    error_sentence,
    push_sentence,
    push_title,
    refusal_sentence,
    resting_sentence,
    run_sentence,
    span_text,
    time_ago,
    time_until,
    urgency_word,
    write_kind_label,
)
from appointments.wording.reasons import closed_sentence, kind_label, reason_sentence, status_label
from appointments.wording.scopes import scope_sentence
from appointments.wording.values import (
    clock_text,
    day_text,
    group_label,
    moment_text,
    outcome_label,
    short_text,
    side_name,
    value_text,
    visits_text,
    zone_of,
    zone_text,
)
from appointments.wording.waves import (
    cause_sentence,
    change_text,
    difference_text,
    widening_sentence,
    write_kind_plural,
)

__all__ = [
    "audit_sentence",
    "cause_sentence",
    "change_text",
    "choice_label",
    "clock_text",
    "closed_sentence",
    "confirmation_sentence",
    "day_text",
    "delivery_sentence",
    "difference_text",
    "error_sentence",
    "group_label",
    "kind_label",
    "moment_text",
    "outcome_label",
    "preview_lines",
    "push_sentence",
    "push_title",
    "reason_sentence",
    "refusal_sentence",
    "refused_in_mode",
    "resting_sentence",
    "run_sentence",
    "scope_sentence",
    "short_text",
    "side_name",
    "span_text",
    "status_label",
    "target_question",
    "time_ago",
    "time_until",
    "undo_lines",
    "urgency_word",
    "value_text",
    "visits_text",
    "widening_sentence",
    "write_kind_label",
    "write_kind_plural",
    "zone_of",
    "zone_text",
]
