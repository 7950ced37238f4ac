"""The broker: topics, clients, admin work and the embedded Kafka."""
