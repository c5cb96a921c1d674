"""The patients whom simulators measure, for the training realm only.

Pulses, saturations and pressures are made up. The ECG is an excerpt of a public recording, named in
``recordings/ATTRIBUTION.md``.
"""
