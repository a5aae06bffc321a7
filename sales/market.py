"""The market of the generated orders: regions, products, prices, and how often each occurs.

A mapping from values to numbers gives weights: a value is chosen in proportion to its number.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Region:
    """A sales region: its percentage of the orders, its currency, and its customers' locales.

    `hours_ahead` is the offset from UTC, `cent` the smallest amount of the currency, and
    `per_dollar` the exchange rate.
    """

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
        """Return the regional price of a product: 53.99 EUR or 8900 JPY for 59 dollars."""
        if self.cent == 1:
            return (dollars * self.per_dollar / 100).quantize(self.cent) * 100
        return (dollars * self.per_dollar).quantize(Decimal(1)) - self.cent


REGIONS = {
    "US": Region(
        name="US",
        share=45,
        hours_ahead=-6,
        currency="USD",
        cent=Decimal("0.01"),
        per_dollar=Decimal("1"),
        tax=Decimal("0.0725"),
        shipping=Decimal("6.90"),
        locales=("en_US",),
    ),
    "EU": Region(
        name="EU",
        share=30,
        hours_ahead=1,
        currency="EUR",
        cent=Decimal("0.01"),
        per_dollar=Decimal("0.92"),
        tax=Decimal("0.21"),
        shipping=Decimal("4.95"),
        locales=("de_DE", "fr_FR", "pt_PT", "es_ES", "nl_NL"),
    ),
    "UK": Region(
        name="UK",
        share=15,
        hours_ahead=0,
        currency="GBP",
        cent=Decimal("0.01"),
        per_dollar=Decimal("0.79"),
        tax=Decimal("0.20"),
        shipping=Decimal("3.99"),
        locales=("en_GB",),
    ),
    "JP": Region(
        name="JP",
        share=10,
        hours_ahead=9,
        currency="JPY",
        cent=Decimal("1"),
        per_dollar=Decimal("150"),
        tax=Decimal("0.10"),
        shipping=Decimal("600"),
        locales=("ja_JP",),
    ),
}

SHARES = {region: region.share for region in REGIONS.values()}

CATALOGUE = {  # Products and their prices in dollars; in each category the best-selling come first.
    "Kitchen": {
        "Chef's knife 20 cm": 59,
        "Cast-iron pan": 45,
        "Espresso maker": 39,
        "Oak cutting board": 34,
        "Stand mixer": 329,
        "Kitchen scale": 25,
        "Mixing bowls": 29,
    },
    "Electronics": {
        "USB-C charger 65 W": 42,
        "Earbuds": 89,
        '27" monitor': 379,
        "Keyboard": 119,
        "SSD 2 TB": 149,
        "Webcam 1080p": 69,
        "Noise-cancelling headphones": 279,
    },
    "Books": {
        "A History of Trade": 24,
        "The Baker's Year": 32,
        "Gardens of the North": 38,
        "Night Trains": 14,
        "City Maps": 64,
        "Learning to Sail": 29,
        "Café Society": 19,
    },
    "Clothing": {
        "T-shirt": 25,
        "Merino socks, 3 pairs": 29,
        "Rain jacket": 139,
        "Jeans": 89,
        "Wool sweater": 99,
        "Running shoes": 129,
        "Beanie": 19,
    },
    "Garden": {
        "Pruning shears": 36,
        "Watering can 10 l": 28,
        "Herb seeds, 12 sorts": 15,
        "Raised bed, larch": 159,
        "Hose 25 m": 49,
        "Solar lights": 39,
        "Lawn mower": 419,
    },
    "Toys": {
        "Building blocks": 49,
        "Jigsaw puzzle, 1000 pieces": 18,
        "Wooden train": 64,
        "Chess set": 45,
        "Kite": 26,
        "Plush fox": 22,
        "Telescope 70 mm": 149,
    },
}


@dataclass(frozen=True, slots=True)
class Product:
    """A product and its weight among all products."""

    sku: str
    name: str
    category: str
    dollars: int
    popularity: float


def _products() -> list[Product]:
    """Return the catalogue; a product's popularity is one over its rank in its category."""
    products = []
    for category, prices in CATALOGUE.items():
        for rank, (name, dollars) in enumerate(prices.items(), start=1):
            sku = f"{category[:3].upper()}-{rank:03}"
            products.append(Product(sku, name, category, dollars, popularity=1 / rank))
    return products


PRODUCTS = {product: product.popularity for product in _products()}

REPEAT_CUSTOMERS = 0.4  # probability
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
