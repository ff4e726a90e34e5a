#!/usr/bin/env python3
"""SyncPortal's command line: `demo`, `verify`, and every command of Django.

``python3 manage.py demo`` and ``python3 manage.py verify`` need nothing but Python: they set up
``.venv`` first. Every other command behaves as in any Django project and never installs anything.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    if sys.argv[1:2] in (["demo"], ["verify"]):
        from syncportal import bootstrap

        return bootstrap.run_verb(sys.argv[1], sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "syncportal.settings")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        from syncportal import bootstrap

        return bootstrap.use_environment(sys.argv)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as mistake:
        print(mistake, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
