"""Practice systems: a faithful OnCall API and a FHIR EMR, for the demo and the tests.

A small Django project of its own (settings, database, processes). The product
never imports it; tests use only ``sandbox.client`` and ``sandbox.running``.
"""
