"""Where decisions made without the model are scored again once it is back, and what came of it."""
