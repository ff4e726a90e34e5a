"""The invented people and places of the demo world; every address is under example.org."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A division in OnCall and the location of the EMR that is the same."""

    oncall_id: int
    location_id: str
    name: str
    time_zone: str


@dataclass(frozen=True)
class Doctor:
    oncall_id: int
    practitioner_id: str
    given: str
    family: str
    places: tuple[int, ...]  # OnCall division ids

    @property
    def name(self) -> str:
        return f"Dr. {self.given} {self.family}"

    @property
    def email(self) -> str:
        return f"{_ascii(self.given)}.{_ascii(self.family)}@clinic.example.org"


@dataclass(frozen=True)
class Patient:
    emr_id: str
    given: str
    family: str
    email: str
    birth_date: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"


PLACES = (
    Place(123, "1", "Downtown", "America/Toronto"),
    Place(124, "2", "Northern Outreach", "America/Toronto"),
    Place(125, "3", "Pacific", "America/Vancouver"),
)

DOCTORS = tuple(
    Doctor(196157 + number, str(9 + number), given, family, places)
    for number, (given, family, places) in enumerate(
        (
            ("Ada", "Osei", (123,)),
            ("Étienne", "Gagnon", (123,)),
            ("Priya", "Raghunathan", (123,)),
            ("Wei", "Zhang", (123,)),
            ("Hannah", "Friesen", (123, 124)),
            ("Marie-Ève", "Bélanger", (124,)),
            ("Joseph", "Moonias", (124,)),
            ("Chidinma", "Eze", (124,)),
            ("Liam", "O'Rourke", (125,)),
            ("Mei-Ling", "Kwok", (125,)),
            ("Sofia", "Marchetti", (125,)),
            ("Tāne", "Walker", (125,)),
        )
    )
)

# In the EMR only: nobody told SyncPortal about the locum.
LOCUM = Doctor(0, "77", "Olga", "Lindqvist", (123,))

_NAMES = """
Ann Bee|Zoé Tremblay|Jean-François Côté|Marie-Claude Lévesque|Noémie Saint-Pierre|André Beaulieu
Geneviève Roy-Dufour|Benoît L'Heureux|Chloé Desrosiers|Émile Nadeau|Kisikaw Cardinal|Nikamon Bird
Mistahi Wapass|Sakihitowin Bearskin|Pihêsiw Iron|Tansi Moostoos|Anang Kakegamic|Waseya Beardy
Aarav Sharma|Ishaan Mukherjee|Lakshmi Venkataraman|Gurpreet Kaur Dhillon|Harjit Singh Sandhu|Neha Patel
Anjali Iyer|Rohan D'Souza|Farah Siddiqui|Li Na Chen|Xiuying Wang|Jun Ho Park|Wing-Yan Lam|Tsz Ching Leung
Min-jun Kim|Haruka Saitō|Thị Hương Nguyễn|Văn Đức Trần|Maria Clara dos Santos|João Ferreira
Adaeze Okonkwo|Olúwaṣeun Adébáyọ̀|Ngozi Nwosu|Emeka Obi|Yetunde Afolabi|Kwame Mensah|Abena Owusu
Amina Warsame|Abdi Hassan Farah|Tigist Bekele|Nadia Haddad|Youssef Ben Salah|Leila Rahimi|Darius Moradi
Olena Kovalenko|Zbigniew Wiśniewski|Jiří Dvořák|Ștefan Ionescu|Søren Kjær|Björn Þórsson|Aino Mäkelä
Siobhán Ní Bhriain|Ewan MacLeod|Rhys ap Gwilym|Isabella Rossi|Giuseppe De Luca|Carmen Núñez
José Luis Hernández|Xóchitl Ramírez|Ana Sofía Gutiérrez|Wanda van der Meer|Pieter de Vries
Margaret Thompson|John Smith|Jon Smyth|Barbara Campbell-Wright|Xi Xu|Ng Ng
"""

_SURNAMES_OF_SEVERAL_WORDS = ("de ", "De ", "dos ", "van ", "ap ", "Ben ", "Ní ")


def patients() -> list[Patient]:
    """About eighty; the last ones are families that share an address, and two without."""
    found = []
    for name in (n.strip() for n in _NAMES.replace("\n", "|").split("|")):
        if not name:
            continue
        given, family = _split(name)
        email = f"{_ascii(given)}.{_ascii(family)}@example.org"
        found.append((given, family, email))
    found += [
        # Twins: one birthday, one address, names one letter apart.
        ("Maya", "Okafor-Lindgren", "okafor.family@example.org"),
        ("Mara", "Okafor-Lindgren", "okafor.family@example.org"),
        ("Samuel", "Lafrenière", "lafreniere@example.org"),
        ("Sylvie", "Lafrenière", "lafreniere@example.org"),
        # Nobody wrote an address down.
        ("Agnes", "Whitefeather", ""),
        ("Bertram", "Holloway", ""),
    ]
    return [
        Patient(
            str(101 + number),
            given,
            family,
            email,
            "2014-05-17"
            if family == "Okafor-Lindgren"
            else f"{1938 + number * 7 % 75}-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        )
        for number, (given, family, email) in enumerate(found)
    ]


def _split(name: str) -> tuple[str, str]:
    for particle in _SURNAMES_OF_SEVERAL_WORDS:
        given, found, rest = name.partition(f" {particle}")
        if found:
            return given, particle + rest
    given, _, family = name.rpartition(" ")
    return given, family


def _ascii(text: str) -> str:
    """Letters as they stand in an e-mail address."""
    special = str.maketrans("øæßđÞþłı", "oasdTtli")
    plain = unicodedata.normalize("NFKD", text.casefold().translate(special))
    kept = "".join(c if c.isascii() and c.isalnum() else "-" if c in " -" else "" for c in plain)
    return kept.strip("-")
