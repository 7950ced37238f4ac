"""What can be done on the pages of the installation: the form of each, and who may send it."""

INSTALLATION_ACTIONS: dict[str, tuple[dict[str, str], set[str]]] = {
    "/model/quality": ({}, {"ann", "bob", "lea", "ray", "rita"}),
    "/model/rollback": ({"version": "m-41000", "why": "it was fed something wrong"}, {"ray", "rita"}),
    "/model/promotion": ({"version": "m-53000", "why": "the champion never saw these"}, {"ray", "rita"}),
    "/rules/check": ({"text": "name ="}, {"ray", "rita"}),
    "/rules/back-test": ({"text": "name ="}, {"ray", "rita"}),
    "/rules/proposals": ({"text": "name =", "why": "x"}, {"ray", "rita"}),
    "/rules/proposals/1/activation": ({}, {"ray", "rita"}),
    "/rules/proposals/1/withdrawal": ({}, {"ray", "rita"}),
}
