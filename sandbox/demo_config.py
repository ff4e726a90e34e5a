from __future__ import annotations


def toml(**kw):
    return ""
