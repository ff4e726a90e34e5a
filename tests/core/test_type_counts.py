"""How many visits each line of a type table takes."""

from __future__ import annotations

from appointments.core.type_counts import Unnamed, count_types, exactly
from appointments.core.values import Codebook

RULES = (("Video*", "online"), ("*follow-up", "phone"), ("Lab", "skip"))


def test_each_visit_is_counted_at_the_first_line_that_fits():
    visits = [("Video follow-up",), ("video call",), ("Phone follow-up",), ("Lab",)]
    assert count_types(visits, RULES).lines == (2, 1, 1)


def test_types_without_a_line_are_told_most_frequent_first_and_those_without_a_type_apart():
    visits = [("Kit", "K1"), ("Meeting",), ("Kit", "K1"), ()]
    counts = count_types(visits, RULES)
    assert counts.unnamed == (Unnamed("Kit", ("Kit", "K1"), 2), Unnamed("Meeting", ("Meeting",), 1))
    assert (counts.without, counts.left) == (1, 4)


def test_a_pattern_made_of_a_word_fits_that_word_and_no_other():
    book = Codebook(type_rules=((exactly("Kit [A]*"), "phone"),))
    assert book.oncall_type(("Kit [A]*",)) == "phone"
    assert book.oncall_type(("Kit A1",)) == ""
