from __future__ import annotations


def automatic(request): ...
