"""The market that the generated orders come from: who buys what, where, when and how often.

Where a table maps something to a number, it happens in that share of the cases.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Region:
    """A market: its share of the orders, its money, and the locales of those who live there."""

    name: str
    share: int
    hours_ahead: int
    currency: str
    cent: Decimal
    per_dollar: Decimal
    tax: Decimal
    shipping: Decimal
    locales: tuple[str, ...]

    def price(self, dollars: int) -> Decimal:
        """Return what a product of so many dollars is sold for here: 53.99 EUR, 8900 JPY."""
        if self.cent == 1:
            return (dollars * self.per_dollar / 100).quantize(self.cent) * 100
        return (dollars * self.per_dollar).quantize(Decimal(1)) - self.cent


REGIONS = {
    name: Region(name, share, ahead, currency, *map(Decimal, money.split()), tuple(who.split()))
    for name, share, ahead, currency, money, who in (
        ("US", 45, -6, "USD", "0.01 1 0.0725 6.90", "en_US"),
        ("EU", 30, 1, "EUR", "0.01 0.92 0.21 4.95", "de_DE fr_FR pt_PT es_ES nl_NL"),
        ("UK", 15, 0, "GBP", "0.01 0.79 0.20 3.99", "en_GB"),
        ("JP", 10, 9, "JPY", "1 150 0.10 600", "ja_JP"),
    )
}

SHARES = {region: region.share for region in REGIONS.values()}

CATALOGUE = {  # Names and prices in dollars, the best-selling first.
    "Kitchen": """Chef's knife 20 cm = 59; Cast-iron pan = 45; Espresso maker = 39;
        Oak cutting board = 34; Stand mixer = 329; Kitchen scale = 25; Mixing bowls = 29""",
    "Electronics": """USB-C charger 65 W = 42; Earbuds = 89; 27" monitor = 379; Keyboard = 119;
        SSD 2 TB = 149; Webcam 1080p = 69; Noise-cancelling headphones = 279""",
    "Books": """A History of Trade = 24; The Baker's Year = 32; Gardens of the North = 38;
        Night Trains = 14; City Maps = 64; Learning to Sail = 29; Café Society = 19""",
    "Clothing": """T-shirt = 25; Merino socks, 3 pairs = 29; Rain jacket = 139; Jeans = 89;
        Wool sweater = 99; Running shoes = 129; Beanie = 19""",
    "Garden": """Pruning shears = 36; Watering can 10 l = 28; Herb seeds, 12 sorts = 15;
        Raised bed, larch = 159; Hose 25 m = 49; Solar lights = 39; Lawn mower = 419""",
    "Toys": """Building blocks = 49; Jigsaw puzzle, 1000 pieces = 18; Wooden train = 64;
        Chess set = 45; Kite = 26; Plush fox = 22; Telescope 70 mm = 149""",
}


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on sale, and how well it sells."""

    sku: str
    name: str
    category: str
    dollars: int
    popularity: float


def _product(category: str, place: int, entry: str) -> Product:
    name, dollars = entry.split(" = ")
    sku = f"{category[:3].upper()}-{place:03}"
    return Product(sku, name.strip(), category, int(dollars), 1 / place)


PRODUCTS = {
    product: product.popularity
    for category, entries in CATALOGUE.items()
    for place, entry in enumerate(entries.split(";"), 1)
    for product in [_product(category, place, entry)]
}

REPEAT_CUSTOMERS = 0.4
FREE_SHIPPING_DOLLARS = 100
CHANNELS = {"web": 50, "mobile": 35, "marketplace": 10, "store": 5}
METHODS = {"card": 60, "paypal": 25, "bank_transfer": 10, "invoice": 5}
LINES = {1: 50, 2: 28, 3: 14, 5: 8}
QUANTITIES = {1: 75, 2: 17, 3: 5, 6: 3}
CARRIERS = {"DHL": 35, "UPS": 30, "FedEx": 25, "GLS": 10}
GIFT_NOTES = {"Happy birthday!": 5, "Alles Gute! 🎉": 2, "お誕生日おめでとう": 2, 'For "Mum"': 1}
COUPONS = {"WELCOME10": Decimal("0.10"), "FRIENDS15": Decimal("0.15")}
WEEKDAYS = (13, 12, 12, 12, 14, 18, 19)
HOURS = (2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 6, 6, 6, 6, 7, 8, 9, 10, 9, 7, 4)
