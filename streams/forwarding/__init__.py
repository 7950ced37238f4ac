"""Where alerts leave for elsewhere: Alertmanager, and a webhook."""
