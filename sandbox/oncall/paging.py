"""Page-number paging with DRF's envelope; links claim the public host."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rest_framework.pagination import PageNumberPagination
from rest_framework.utils.urls import remove_query_param, replace_query_param

from sandbox.world import switches


class Pages(PageNumberPagination):
    """``{count, next, previous, results}`` (oncall docs, syncing guide)."""

    def get_page_size(self, request: Any) -> int:
        if switches.get("oncall.filters") == "honoured":
            wish = request.query_params.get("page_size", "")
            if wish.isdecimal() and int(wish):
                return int(wish)
        return int(switches.get("oncall.page_size"))

    def get_next_link(self) -> str | None:
        if not self.page.has_next():
            return None
        return replace_query_param(self._here(), "page", self.page.next_page_number())

    def get_previous_link(self) -> str | None:
        if not self.page.has_previous():
            return None
        number = self.page.previous_page_number()
        if number == 1:
            return remove_query_param(self._here(), "page")
        return replace_query_param(self._here(), "page", number)

    def _here(self) -> str:
        parts = urlsplit(self.request.get_full_path())
        query = f"?{parts.query}" if parts.query else ""
        return switches.get("oncall.public_base").rstrip("/") + parts.path + query
