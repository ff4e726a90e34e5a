"""Who is who: what is proposed, how sure it is, and that nobody is proposed on what proves nothing."""

from __future__ import annotations

from appointments.core.proposing import Confidence, bare_name, propose, unmatched
from emr_adapters.records import Practitioner


def oncall(id: str, name: str, email: str = "") -> Practitioner:
    return Practitioner(id, name, email)


def emr(id: str, name: str, email: str = "") -> Practitioner:
    return Practitioner(f"Practitioner/{id}", name, email)


def proposed(ours, theirs, saved=None):
    return [(p.oncall.id, p.confidence, p.emr) for p in propose(ours, theirs, saved)]


def test_equal_email_and_fitting_name_is_certain():
    ours = [oncall("9", "Dr. Ada Osei", "Ada@example.org")]
    theirs = [emr("1", "Luc Roy"), emr("2", "Osei, Ada", "ada@example.org")]
    assert proposed(ours, theirs) == [("9", Confidence.CERTAIN, ("Practitioner/2",))]


def test_equal_email_with_another_name_is_to_be_checked():
    ours = [oncall("9", "Ada Osei", "ada@example.org")]
    theirs = [emr("1", "Ada Mensah", "ada@example.org")]
    assert proposed(ours, theirs) == [("9", Confidence.EMAIL, ("Practitioner/1",))]


def test_an_email_that_several_people_share_is_no_evidence():
    ours = [oncall("9", "Ada Osei", "desk@example.org"), oncall("8", "Luc Roy", "desk@example.org")]
    theirs = [emr("1", "Noor Haddad", "desk@example.org")]
    assert proposed(ours, theirs) == [
        ("9", Confidence.SEVERAL, ()),
        ("8", Confidence.SEVERAL, ()),
    ]


def test_a_name_that_nobody_else_has_is_proposed_whatever_its_titles():
    ours = [oncall("9", "Dr. Mathilde Lavoie, MD")]
    theirs = [emr("1", "LAVOIE Mathilde"), emr("2", "Boyd Chen")]
    assert proposed(ours, theirs) == [("9", Confidence.NAME, ("Practitioner/1",))]


def test_namesakes_are_not_proposed_but_offered():
    ours = [oncall("9", "Boyd Chen")]
    theirs = [emr("1", "Boyd Chen"), emr("2", "Dr Boyd Chen")]
    (one,) = propose(ours, theirs)
    assert (one.confidence, one.emr) == (Confidence.SEVERAL, ())
    assert one.possible == ("Practitioner/1", "Practitioner/2")


def test_initials_fit_only_as_something_to_check():
    assert proposed([oncall("9", "A. Osei")], [emr("1", "Ada Osei")]) == [
        ("9", Confidence.SIMILAR, ("Practitioner/1",))
    ]


def test_what_a_person_said_stays_and_is_proposed_to_nobody_else():
    ours = [oncall("9", "Ada Osei"), oncall("8", "Luc Roy")]
    theirs = [emr("1", "Luc Roy")]
    saved = {"9": ("Practitioner/1",)}
    assert proposed(ours, theirs, saved) == [
        ("9", Confidence.SAVED, ("Practitioner/1",)),
        ("8", Confidence.NONE, ()),
    ]


def test_nobody_is_proposed_twice():
    ours = [oncall("9", "Ada Osei", "ada@example.org"), oncall("8", "A. Osei")]
    theirs = [emr("1", "Ada Osei", "ada@example.org")]
    assert proposed(ours, theirs) == [
        ("9", Confidence.CERTAIN, ("Practitioner/1",)),
        ("8", Confidence.NONE, ()),
    ]


def test_those_whom_no_line_proposes_are_told():
    theirs = [emr("1", "Ada Osei"), emr("2", "Boyd Chen")]
    assert unmatched(propose([oncall("9", "Ada Osei")], theirs), theirs) == [theirs[1]]


def test_a_name_that_is_a_title_stays_a_name():
    assert bare_name("Dr. Ng") == "dr ng"
    assert bare_name("Dr. Kim Ng, RN") == "kim ng"
