"""Why a visit is where it is: its gates, found for whoever asks, and reading one on demand.

``searching`` finds visits by patient or id, ``gates`` tells what each went through, ``asking`` has one
read now. Nothing here decides: the gates are told by the code that does.
"""

from __future__ import annotations
