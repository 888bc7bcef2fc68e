"""Home & Rest."""

from typing import Final

from shop.demo.items import DemoProduct, Piece, item
from shop.demo.palette import COLOURS

HOME: Final[list[DemoProduct]] = [
    item(
        "BLANKT",
        "Steamer Blanket",
        "home-rest",
        (3280, 15200, 14000, 10800),
        """Striped like the rugs on the deck chairs of the old Osaka line. Wool with a little
        cotton, for warmth without weight. Big enough to share with somebody you know well.""",
        shows="A folded striped blanket",
        motif="blanket",
        scene="table",
        ground="sky",
        options={"Colour": "Brick, Indigo, Sage"},
    ),
    item(
        "CUSHIN",
        "Sashiko Floor Cushion",
        "home-rest",
        (1180, 5400, 5000, 3900),
        """White stitches in rows that were once mending and turned into mathematics. Stuffed
        with buckwheat; it listens, and takes your shape.""",
        shows="A square cushion with a stitched pattern",
        motif="cushion",
        scene="window",
        ground="ochre",
        options={"Colour": "Indigo, Plum, Harbour"},
    ),
    item(
        "INCENS",
        "Temple Incense, Sixty Sticks",
        "home-rest",
        (380, 1750, 1600, 1250),
        """Twenty-five minutes a stick. Choose the agarwood of a closed room, the hinoki of a
        wet forest, or the pomelo peel of a kitchen in September.""",
        shows="Incense sticks smoking in a small bowl",
        motif="incense",
        scene="arch",
        ground="ink",
        options={"Scent": "Agarwood, Hinoki, Pomelo"},
        by={"Agarwood": {"bowl": "plum"}, "Hinoki": {"bowl": "sage"}, "Pomelo": {"bowl": "ochre"}},
    ),
    item(
        "VASE",
        "One-Branch Vase",
        "home-rest",
        (980, 4500, 4200, 3200),
        """Room for one branch, which turns out to be the right number. The neck leans a little,
        so whatever you put in it looks as if it had been thinking.""",
        shows="A bottle vase with a single branch",
        motif="vase",
        scene="window",
        ground="rose",
        options={"Glaze": "Celadon, Ink, Chalk"},
    ),
    item(
        "WNDBEL",
        "Cast Iron Wind Bell",
        "home-rest",
        (580, 2700, 2500, 1900),
        """Poured in Iwate by the people who make the kettles. One clear note whenever the air
        moves, and by August you feel cooler just for hearing it.""",
        shows="A wind bell with a paper strip",
        motif="bell",
        scene="wall",
        ground="sky",
        options={"Finish": "Iron, Celadon, Brick"},
    ),
    item(
        "STOOL",
        "Three-Leg Stool",
        "home-rest",
        (2480, 11500, 10800, 8200),
        """Three legs do not wobble on any floor. Wedged by hand, never screwed, and just high
        enough to be a bedside table for the tea you will forget there.""",
        shows="A round stool on three legs",
        motif="stool",
        scene="table",
        ground="celadon",
        options={"Wood": "Oak, Walnut, Teak"},
        beside=Piece("cup", COLOURS["Persimmon"], {"shape": "tea"}, x=205, y=40, scale=0.6),
    ),
    item(
        "WALCLK",
        "Ship's Wall Clock",
        "home-rest",
        (3480, 16200, 14900, 11500),
        """A spun brass ring, a white face, and a sweep that does not tick. Screws to a bulkhead
        with three screws, or to plaster with a little courage.""",
        shows="A round wall clock",
        motif="clock",
        scene="wall",
        ground="harbour",
        options={"Rim": "Brass, Steel, Signal"},
    ),
    item(
        "BASKET",
        "Rattan Basket",
        "home-rest",
        (1080, 4900, 4500, 3500),
        """Woven in Bukit Merah by a workshop of five, one of whom is ninety and still the
        fastest. For bread, for laundry, for the things on the stairs.""",
        shows="A woven basket with two handles",
        motif="basket",
        scene="table",
        ground="rose",
        options={"Rattan": "Natural, Tea", "Size": "Small, Large"},
        more={"Large": (500, 2300, 2100, 1600)},
    ),
    # --- bath --------------------------------------------------------------------------------
    item(
        "SOAP",
        "Camellia Soap",
        "bath",
        (220, 980, 890, 690),
        """Cold-processed in Tainan and cured for ninety days on bamboo racks. Lathers in hard
        water, soft water and, they say, the sea.""",
        shows="Two stacked bars of soap on a dish",
        motif="soap",
        scene="table",
        ground="celadon",
        options={"Scent": "Sea salt, Green tea, Bamboo charcoal, Red clay"},
        by={
            "Sea salt": {"bar": "Sky"},
            "Green tea": {"bar": "Sage"},
            "Bamboo charcoal": {"bar": "Slate"},
            "Red clay": {"bar": "Clay"},
        },
    ),
    item(
        "TOWEL",
        "Imabari Towel",
        "bath",
        (880, 3980, 3700, 2900),
        """Drop a corner in water and it sinks in under five seconds; that is the test in
        Imabari, and there are no second tries. Thin enough to dry overnight in a small
        bathroom.""",
        shows="Rolled and folded towels",
        motif="towel",
        scene="window",
        ground="sand",
        options={"Colour": "Chalk, Sky, Sage", "Size": "Hand, Bath"},
        more={"Bath": (900, 4200, 3900, 3000)},
    ),
    item(
        "OKE",
        "Hinoki Bath Bucket",
        "bath",
        (1680, 7800, 7200, 5500),
        """Staves without glue, held by two copper hoops that tighten as the wood swells. Pour
        it over your head at the end. You will hear yourself laugh.""",
        shows="A coopered wooden bucket with metal hoops",
        motif="bucket",
        scene="hills",
        ground="celadon",
        tone="Hinoki",
        options={"Hoops": "Copper hoops, Brass hoops"},
        by={"Copper hoops": {"hoop": "Copper"}, "Brass hoops": {"hoop": "Brass"}},
    ),
    item(
        "BRUSHB",
        "Bath Brush",
        "bath",
        (560, 2600, 2400, 1850),
        """Boar bristle, a head that fits the shoulder blade, and a handle you can hang from a
        tap. The best three minutes of a Tuesday.""",
        shows="A long-handled bath brush",
        motif="bathbrush",
        scene="flat",
        ground="harbour",
        options={"Wood": "Hinoki, Teak"},
    ),
]
