"""What cards are used for: merchant categories by ISO 18245 code, with prices, hours and how often people pay there."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """One merchant category."""

    name: str
    mcc: str
    euros: float  # median ticket
    sigma: float  # spread of the ticket's logarithm
    visits: float  # weight among all payments
    online: float  # share of its merchants that sell online only
    opens: float = 0.0  # local hour; merchants online never close
    closes: float = 24.0  # above 24: after midnight


SHOPPING = (
    Category("groceries", "5411", 26.0, 0.7, 20.0, 0.05, 7.0, 22.0),
    Category("restaurant", "5812", 34.0, 0.55, 8.0, 0.05, 11.0, 24.0),
    Category("fast food", "5814", 11.0, 0.45, 9.0, 0.15, 7.0, 25.0),
    Category("bar", "5813", 18.0, 0.6, 3.0, 0.0, 15.0, 28.0),
    Category("fuel station", "5541", 48.0, 0.4, 4.0, 0.0),
    Category("fuel pump", "5542", 46.0, 0.4, 3.0, 0.0),
    Category("pharmacy", "5912", 16.0, 0.7, 4.0, 0.1, 8.0, 20.0),
    Category("commuting", "4111", 4.0, 0.5, 7.0, 0.3, 5.0, 25.0),
    Category("taxi", "4121", 17.0, 0.5, 3.0, 0.6),
    Category("clothing", "5651", 45.0, 0.7, 3.0, 0.4, 9.0, 20.0),
    Category("department store", "5311", 50.0, 0.8, 3.0, 0.3, 9.0, 21.0),
    Category("electronics", "5732", 110.0, 1.0, 1.4, 0.5, 9.0, 20.0),
    Category("home improvement", "5200", 38.0, 0.8, 2.0, 0.15, 8.0, 20.0),
    Category("books", "5942", 18.0, 0.5, 1.2, 0.5, 9.0, 20.0),
    Category("cosmetics", "5977", 28.0, 0.6, 1.0, 0.5, 9.0, 20.0),
    Category("jewellery", "5944", 150.0, 0.9, 0.4, 0.3, 10.0, 19.0),
    Category("specialty retail", "5999", 30.0, 0.8, 3.0, 0.6, 9.0, 20.0),
    Category("marketplace", "5262", 34.0, 0.9, 8.0, 1.0),
    Category("digital media", "5815", 9.0, 0.6, 2.5, 1.0),
    Category("games", "5816", 5.0, 0.8, 2.5, 1.0),
    Category("software", "5734", 30.0, 0.8, 0.8, 1.0),
    Category("charity", "8398", 12.0, 0.8, 0.5, 1.0),
    Category("hotel", "7011", 140.0, 0.6, 0.6, 0.4),
    Category("travel agency", "4722", 260.0, 0.8, 0.3, 1.0),
    Category("airline", "4511", 190.0, 0.7, 0.3, 1.0),
    Category("cinema", "7832", 16.0, 0.4, 0.8, 0.4, 12.0, 24.0),
    Category("gambling", "7995", 28.0, 0.9, 0.5, 1.0),
    Category("mail order", "5964", 35.0, 0.7, 0.5, 0.0, 8.0, 20.0),
    Category("doctor", "8011", 50.0, 0.6, 0.5, 0.0, 8.0, 18.0),
)
SUBSCRIPTIONS = (
    Category("streaming", "4899", 12.0, 0.25, 5.0, 1.0),
    Category("telephone", "4814", 26.0, 0.3, 4.0, 1.0),
    Category("insurance", "6300", 45.0, 0.5, 1.5, 1.0),
    Category("gym", "7997", 35.0, 0.3, 1.5, 1.0),
)
MAIL_ORDER = "5964"  # orders by telephone and letter
GAMES = "5816"  # small payments in a row are normal here
TEST_GROUNDS = ("5815", "5816", "8398", "5734", "5942")  # cheap, online, delivered at once: where thieves try cards
EASY_TO_RESELL = ("5732", "5944", "5651", "5311", "5262", "5999", "5411", "5541")  # what thieves buy
BIG_TICKETS = ("5732", "5944", "5262", "4722", "7011", "5200", "5311")
