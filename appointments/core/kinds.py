"""The closed lists of codes that decisions speak in. ``wording.py`` turns them into sentences."""

from __future__ import annotations

import enum


class Kind(enum.StrEnum):
    """What a mismatch is about (design, section 6)."""

    MISSING_IN_ONCALL = "missing_in_oncall"
    MISSING_IN_EMR = "missing_in_emr"
    VALUES_DIFFER = "values_differ"
    CANCELLED_ON_ONE_SIDE = "cancelled_on_one_side"
    CANCEL_VS_EDIT = "cancel_vs_edit"
    MOVED = "moved"
    POSSIBLE_MATCH = "possible_match"
    DUPLICATE_REFERENCE = "duplicate_reference"
    DANGLING_REFERENCE = "dangling_reference"
    PATIENT_DIFFERS = "patient_differs"
    UNMAPPED = "unmapped"
    PUSH_FAILED = "push_failed"
    VANISHED = "vanished"
    UNREADABLE = "unreadable"


class Action(enum.StrEnum):
    """What a person can choose (design, section 7)."""

    USE_EMR = "use_emr"
    USE_ONCALL = "use_oncall"
    CREATE_IN_ONCALL = "create_in_oncall"
    CREATE_IN_EMR = "create_in_emr"
    CANCEL_IN_ONCALL = "cancel_in_oncall"
    CANCEL_IN_EMR = "cancel_in_emr"
    LINK = "link"
    NOT_A_MATCH = "not_a_match"
    LEAVE_DIFFERENT = "leave_different"
    BY_HAND = "by_hand"
    RETRY = "retry"


class Scope(enum.StrEnum):
    """Why a visit needs no partner and no agreement (law 1). The visit's page says which."""

    CANCELLED = "cancelled"
    PAST = "past"
    OUTCOME = "outcome"
    MESSAGE = "message"
    SKIPPED_TYPE = "skipped_type"
    BLOCK = "block"
    NOT_YET = "not_yet"
    NO_DIVISION = "no_division"
    OUTSIDE_WINDOW = "outside_window"
    NEVER = "never"
    CANDIDATE = "candidate"  # listed under the other side's possible_match
    UNMAPPED = "unmapped"  # listed under the unmapped value
    UNPROVEN = "unproven"  # the other side has no complete list yet: nothing is concluded (law 2)


class Operation(enum.StrEnum):
    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"
    REFERENCE = "reference"
