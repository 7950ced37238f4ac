"""What an installation shows on its topics, and what it is told there, as any client of Kafka could."""
