"""What can be done on the pages of the installation: the form of each, and who may send it."""

INSTALLATION_ACTIONS: dict[str, tuple[dict[str, str], set[str]]] = {
    "/model/quality": ({}, {"ann", "bob", "lea", "ray"}),
    "/model/rollback": ({"version": "m-41000", "why": "it was fed something wrong"}, {"ray"}),
}
