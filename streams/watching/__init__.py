"""Where silence is noticed: a process that watches the others."""
