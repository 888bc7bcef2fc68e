"""What the demo shop sells."""

from typing import Final

from shop.demo.catalogue.carry import CARRY, TRAVEL
from shop.demo.catalogue.deck import TOOLS, WEAR
from shop.demo.catalogue.desk import DESK, LIGHT
from shop.demo.catalogue.home import HOME
from shop.demo.catalogue.kitchen import KITCHEN
from shop.demo.items import DemoCategory, DemoProduct

CATEGORIES: Final[list[DemoCategory]] = [
    DemoCategory(slug, name, parent, text)
    for slug, name, parent, text in (
        (
            "kitchen-table",
            "Kitchen & Table",
            None,
            "Things that make a meal anywhere: a galley, a studio flat, a bench with a view.",
        ),
        ("tea", "Tea", "kitchen-table", "Pots, cups and tins for the cup that starts the day."),
        (
            "knives-boards",
            "Knives & Boards",
            "kitchen-table",
            "Edges that hold, and the wood to use them on.",
        ),
        (
            "bowls-cups",
            "Bowls & Cups",
            "kitchen-table",
            "Fired, turned and spun: what the hand reaches for first.",
        ),
        (
            "lunch-on-the-way",
            "Lunch on the Way",
            "kitchen-table",
            "Boxes, flasks and chopsticks for eating well between two places.",
        ),
        ("carry", "Carry", None, "Bags that look better after the hundredth ferry."),
        ("bags", "Bags", "carry", "Totes, rucksacks and satchels, sewn to be repaired."),
        ("pouches-wallets", "Pouches & Wallets", "carry", "A place for the small things."),
        ("paper-ink", "Paper & Ink", None, "For letters, logbooks and the list for tomorrow."),
        ("notebooks", "Notebooks", "paper-ink", "Paper that lies flat and takes ink kindly."),
        ("pens-ink", "Pens & Ink", "paper-ink", "Nibs, barrels and bottled colour."),
        ("light", "Light", None, "Lanterns, lamps and candles for the blue hour and after."),
        ("rope-tools", "Rope & Tools", None, "What a good deckhand keeps within reach."),
        (
            "finding-the-way",
            "Finding the Way",
            "rope-tools",
            "Compasses, glasses and cases: know where you are, see where you go.",
        ),
        ("wear", "Wear", None, "Layers for sea wind, monsoon rain and cold platforms."),
        ("rain", "Rain", "wear", "For the plum rains, and every typhoon's long tail."),
        ("home-rest", "Home & Rest", None, "For the room at the end of the road, wherever it is."),
        ("bath", "Bath", "home-rest", "Soap, steam and a good towel."),
        ("travel", "Travel", None, "Small comforts for night trains and early flights."),
    )
]

PRODUCTS: Final[list[DemoProduct]] = [
    *KITCHEN,
    *CARRY,
    *DESK,
    *LIGHT,
    *TOOLS,
    *WEAR,
    *HOME,
    *TRAVEL,
]
