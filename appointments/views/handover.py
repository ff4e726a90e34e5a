from __future__ import annotations


def handover(request): ...
