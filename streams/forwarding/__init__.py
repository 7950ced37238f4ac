"""Where alerts and reviewers' questions leave for elsewhere: Alertmanager, and webhooks."""
