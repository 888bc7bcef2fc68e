"""Kitchen & Table."""

from typing import Final

from shop.demo.items import DemoProduct, Piece, item
from shop.demo.palette import COLOURS

KITCHEN: Final[list[DemoProduct]] = [
    # --- tea ------------------------------------------------------------------------------
    item(
        "KYUSU",
        "Side-Handle Teapot",
        "tea",
        (1880, 8800, 8200, 6200),
        """Thrown in Tokoname by a family that has made nothing else since 1921. The handle sits
        where your wrist wants it, the clay strainer is pierced by hand, and the last drop falls
        into the cup and never down the spout. Give it green tea for a year and it will begin to
        shine by itself.""",
        shows="A round clay teapot with a side handle",
        motif="teapot",
        scene="sun",
        ground="celadon",
        handle="side",
        options={"Colour": "Brick, Iron, Celadon"},
        featured=True,
        beside=Piece("cup", COLOURS["Cream"], {"shape": "tea"}, x=190, y=34, scale=0.62),
    ),
    item(
        "GAIWAN",
        "Alishan Gaiwan",
        "tea",
        (980, 4600, 4200, 3200),
        """A lid, a bowl and a saucer: all that high-mountain oolong asks for. The rim flares just
        enough to stay cool under two fingers. Fired twice in Yingge, then tapped and listened to
        before it may leave.""",
        shows="A lidded tea bowl on its saucer",
        motif="gaiwan",
        scene="table",
        ground="rose",
        options={"Colour": "Chalk, Celadon, Sky"},
    ),
    item(
        "TEACUP",
        "Harbour Tea Cup",
        "tea",
        (380, 1760, 1600, 1200),
        """Holds exactly what one breath can cool. The foot is left unglazed so that it grips a
        rocking table. We have dropped more of these than we will admit; most of them bounced.""",
        shows="A small tea cup without a handle",
        motif="cup",
        scene="window",
        ground="sand",
        shape="tea",
        options={"Colour": "Harbour, Persimmon, Cream, Ink"},
    ),
    item(
        "CHADDY",
        "Brass-Seal Tea Caddy",
        "tea",
        (1280, 5900, 5500, 4200),
        """Set the lid on top and let go: it sinks by its own weight until the air has left. That
        slow sigh is the whole point. Copper and brass go dark where you hold them, tin stays
        quiet.""",
        shows="A cylindrical tea caddy with a close lid",
        motif="tin",
        scene="arch",
        ground="harbour",
        options={"Metal": "Copper, Brass, Tin", "Size": "100 g, 200 g"},
        more={"200 g": (300, 1400, 1300, 1000)},
        featured=True,
        beside=Piece("cup", COLOURS["Celadon"], {"shape": "tea"}, x=180, y=30, scale=0.55),
    ),
    item(
        "STVKET",
        "Deckhand Stove Kettle",
        "tea",
        (1680, 7800, 7200, 5400),
        """Wide in the base, low in the middle, hard to tip over. It boils a litre before the
        forecast is read out, and the wooden grip stays cool enough for bare hands. Enamelled
        inside and out, so that a chip is a memory and not a problem.""",
        shows="A wide enamel kettle with a wooden grip",
        motif="kettle",
        scene="hills",
        ground="sky",
        options={"Colour": "Signal, Navy, Cream"},
    ),
    item(
        "CHASEN",
        "Bamboo Tea Whisk",
        "tea",
        (520, 2400, 2300, 1700),
        """One stalk of bamboo, split eighty times with a knife and never glued. Whisk from the
        wrist, stop when the foam is finer than you expected. It wears out, as it should; the next
        one always feels like spring.""",
        shows="A bamboo whisk standing on its head of fine tines",
        motif="whisk",
        scene="table",
        ground="celadon",
        tone="Bamboo",
        options={"Bamboo": "Bamboo, Iron"},
        beside=Piece("bowl", COLOURS["Ink"], {}, x=165, y=26, scale=0.62),
    ),
]
