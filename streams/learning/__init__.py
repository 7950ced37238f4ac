"""Where the model learns: examples, the label join, the learner and what it publishes."""
