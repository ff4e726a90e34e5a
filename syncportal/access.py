"""gunicorn's access log without what may not stand in one.

``gunicorn --logger-class syncportal.access.MaskedLogger --access-logfile - syncportal.wsgi``
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from syncportal.logs import mask

ADDRESSES = ("r", "U", "f", "{raw_uri}e", "{path_info}e", "{request_uri}e", "{referer}i")


class MaskedLogger(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """Addresses without the webhook's token and without their query: a search may name a person."""

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> dict[str, Any]:
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        path = mask(str(environ.get("PATH_INFO", "")))
        atoms.update(dict.fromkeys(ADDRESSES, path), q="")
        atoms["r"] = f"{environ.get('REQUEST_METHOD')} {path} {environ.get('SERVER_PROTOCOL')}"
        return {name: value for name, value in atoms.items() if name != "{query_string}e"}
