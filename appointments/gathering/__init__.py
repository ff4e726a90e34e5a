"""Rows → what the core decides on. Reads the database, never a remote, and writes nothing.

``visits`` gathers one visit with its neighbours, ``codebooks`` the configuration, ``claims`` which rows
lay claim to which and what people have said about them.
"""

from __future__ import annotations

from appointments.gathering.visits import Gatherer

__all__ = ["Gatherer"]
