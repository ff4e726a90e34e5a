"""The whole product in one process, with both systems in memory and every outside event drawn from a seed.

``python -m tests.simulation --help`` runs it; ``invariants`` says what has to hold.
"""
