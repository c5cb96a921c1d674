"""`qafila doctor`: what a unit's parts are like, each judged, with the next step.

Each file is one group of checks: what is looked at as a plain value (``look…``), and pure functions that
judge it. Nothing here writes, changes or takes anything that a running unit needs. What cannot be known is
a warning that says so, never a pass.
"""
