"""Edges: Kafka, processes, files and screens. Everything that can fail for reasons of its own."""
