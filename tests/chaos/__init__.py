"""The real programs under attack: ``python -m tests.chaos`` (see ``__main__``).

A clinic works on both practice systems while workers, web processes and the database are killed. When
all has gone quiet again, the laws are read from the databases.
"""
