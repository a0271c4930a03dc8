"""Benchmarks: figures of Stagebox beside figures of a peer, measured in the same run.

``python -m tests.benchmarks [NAME ...]`` from the root of the project, or ``make bench``. They
print; they never judge by time: an aim that is missed is told, and the exit status stays 0.
"""
