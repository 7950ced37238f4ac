"""Processes kept running on one machine: started, watched, replaced when they end, and none left behind."""
