"""Formats that devices share. Bytes in, values out; no port, no clock, no file."""
