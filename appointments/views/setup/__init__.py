"""The set-up, step by step: connect, test, division, providers, types, observe, go live.

A module per step. Where somebody stands follows from the rows (``steps``), so it can be left and taken up
again. Whatever changes the configuration goes through ``saving``, which is ``configuration.changing`` as
for the administration and ``loadconfig``.
"""
