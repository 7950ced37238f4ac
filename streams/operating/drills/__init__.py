"""Drills: failures brought about on purpose, and what became of the payments meanwhile."""
