"""Configuration as code: a TOML file or a saved form → the tables, and what follows from a change.

``reading`` (with ``located`` and ``table``) turns a file into ``states``; ``rules`` and ``relations`` are
what must hold, for files and forms alike; ``applying`` writes rows; ``changing`` wraps every change:
``consequences`` follow from it and it is recorded in the audit trail.
"""
