"""Signals as numbers: kept without loss, and their rate measured. Pure: no device, no clock, no file."""
