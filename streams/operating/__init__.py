"""Commands for people: running, watching, simulating, replaying, auditing."""
