"""A labelled traffic generator: cards with habits, merchants with hours, five kinds of fraud, labels that come late."""
