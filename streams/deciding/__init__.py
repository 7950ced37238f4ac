"""Where a transaction is decided: lanes, the agent, the scorer process, profiles."""
