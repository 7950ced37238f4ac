"""Where Prometheus reads them."""

from prometheus_client import CollectorRegistry, start_http_server


def expose(registry: CollectorRegistry, host: str, port: int) -> int | None:
    """Serve `/metrics`; returns the port, or None where none is wanted (-1)."""
    if port < 0:
        return None
    server, _ = start_http_server(port, host, registry)
    return int(server.server_port)
