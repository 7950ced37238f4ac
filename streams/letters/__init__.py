"""Dead letters: what they say, what stands in the way of sending them again, and doing it."""
