"""Judgement: decisions and their reasons, policy, rule sets, safe defaults, the breaker. No I/O, no clock."""
