"""Patients, encounters, observations and the rest of what the journal holds."""
