"""Figures, each beside its goal; ratios are taken side by side in one run. Never part of a test."""
