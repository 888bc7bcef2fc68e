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
        """A lid, a bowl and a saucer: all that high-mountain oolong asks for. The rim flares
        just enough to stay cool under two fingers. Fired twice in Yingge, then tapped and
        listened to before it may leave.""",
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
        options={"Colour": "Harbour, Persimmon, Cream"},
    ),
    item(
        "CHADDY",
        "Brass-Seal Tea Caddy",
        "tea",
        (1280, 5900, 5500, 4200),
        """Set the lid on top and let go: it sinks by its own weight until the air has left.
        That slow sigh is the whole point. Copper and brass go dark where you hold them, tin
        stays quiet.""",
        shows="A cylindrical tea caddy with a close lid",
        motif="tin",
        scene="arch",
        ground="harbour",
        options={"Metal": "Copper, Tin", "Size": "100 g, 200 g"},
        more={"200 g": (300, 1400, 1300, 1000)},
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
        wrist, stop when the foam is finer than you expected. It wears out, as it should; the
        next one always feels like spring.""",
        shows="A bamboo whisk standing on its head of fine tines",
        motif="whisk",
        scene="table",
        ground="celadon",
        tone="Bamboo",
        options={"Bamboo": "Pale, Smoked"},
        by={"Pale": {}, "Smoked": {"smoked": True}},
        beside=Piece("bowl", COLOURS["Ink"], {}, x=165, y=26, scale=0.62),
    ),
    # --- knives and boards ------------------------------------------------------------------
    item(
        "PETTY",
        "Galley Petty Knife",
        "knives-boards",
        (3280, 15400, 14200, 10800),
        """A 135 mm blade from Sakai, thin behind the edge and calm in the hand. It peels a
        mango on a rolling deck and takes the stones out of cherries without complaint. Carbon
        steel: wipe it, oil it, leave it to your children.""",
        shows="A small kitchen knife with a pointed blade",
        motif="knife",
        scene="flat",
        ground="celadon",
        blade="petty",
        options={"Handle": "Walnut, Cherry, Hinoki"},
    ),
    item(
        "NAKIRI",
        "Nakiri for Greens",
        "knives-boards",
        (3880, 18200, 16800, 12800),
        """Straight edge, square tip, the weight just ahead of your knuckles. Cabbage falls off
        it in ribbons. The smith leaves his hammer marks on the flat, partly so that slices do
        not stick and partly because he likes them.""",
        shows="A square vegetable knife",
        motif="knife",
        scene="flat",
        ground="clay",
        blade="nakiri",
        options={"Handle": "Oak, Walnut"},
    ),
    item(
        "CLEAVR",
        "Tainan Cleaver",
        "knives-boards",
        (2180, 10200, 9400, 7200),
        """Forged from old railway spring near Tainan's fish market, where nobody buys a second
        one because the first refuses to die. Chops, crushes garlic, carries it all to the wok.
        Heavier than it looks; kinder, too.""",
        shows="A broad cleaver",
        motif="knife",
        scene="flat",
        ground="sky",
        blade="cleaver",
        options={"Handle": "Cherry, Camphor"},
    ),
    item(
        "FOLDKN",
        "Higo Folding Knife",
        "knives-boards",
        (1080, 4980, 4600, 3500),
        """One blade, one pin, one folded sheet of brass: the pocket knife of Japanese
        schoolchildren for a century. The lever opens it, your thumb locks it. String, apples,
        parcels.""",
        shows="A folding pocket knife, open",
        motif="knife",
        scene="flat",
        ground="ink",
        blade="folding",
        options={"Handle": "Brass, Copper, Iron"},
    ),
    item(
        "BOARD",
        "Hinoki Cutting Board",
        "knives-boards",
        (1480, 6800, 6200, 4800),
        """Cypress is soft on edges and hard on bacteria, and it fills the kitchen with the
        smell of a bathhouse when you rinse it. Cut from one plank, so there is no glue to give
        up. Stand it to dry; plane it in ten years.""",
        shows="A long wooden board with a hanging hole",
        motif="board",
        scene="flat",
        ground="harbour",
        tone="Hinoki",
        options={"Size": "Small, Large"},
        more={"Large": (700, 3200, 3000, 2200)},
        beside=Piece("knife", COLOURS["Walnut"], {"blade": "petty"}, x=150, y=20, scale=0.8),
    ),
    item(
        "PADDLE",
        "Round Serving Paddle",
        "knives-boards",
        (1180, 5400, 5000, 3800),
        """For cheese, for flatbread, for carrying four cups up a narrow companionway. Turned
        from offcuts of a boatyard that has planked sampans since the fifties. Oiled with
        camellia, twice.""",
        shows="A round wooden paddle with a handle",
        motif="board",
        scene="wall",
        ground="celadon",
        shape="round",
        options={"Wood": "Teak, Oak, Camphor"},
    ),
    # --- bowls and cups -----------------------------------------------------------------------
    item(
        "RICEBL",
        "Everyday Rice Bowl",
        "bowls-cups",
        (420, 1980, 1800, 1400),
        """The size of two cupped hands, as rice bowls have been for a thousand years. A painted
        band tells yours from your sister's. Goes from freezer to steamer to dishwasher and
        back.""",
        shows="A rice bowl with a painted band",
        motif="bowl",
        scene="table",
        ground="ochre",
        band=True,
        options={"Colour": "Chalk, Indigo, Brick, Sage"},
    ),
    item(
        "RAMEN",
        "Deep Noodle Bowl",
        "bowls-cups",
        (680, 3200, 2900, 2200),
        """Deep enough that the broth outlasts the noodles. The wall thickens towards the foot,
        so it stays hot where it matters and cool where you hold it. Slurping is a compliment.""",
        shows="A deep bowl with chopsticks laid across",
        motif="bowl",
        scene="window",
        ground="rose",
        deep=True,
        sticks=True,
        options={"Colour": "Ink, Cream, Persimmon"},
    ),
    item(
        "ENAMUG",
        "Quay Enamel Mug",
        "bowls-cups",
        (450, 2100, 1900, 1450),
        """Steel under glass, two fires, a rolled rim. It has been dropped on granite, left in
        rain and used as a bailer, and it still makes coffee taste like morning.""",
        shows="An enamel mug with a dark rim",
        motif="mug",
        scene="hills",
        ground="celadon",
        options={"Colour": "Harbour, Cream, Signal, Ochre"},
    ),
    item(
        "STKCUP",
        "Stacking Glasses, Set of Four",
        "bowls-cups",
        (1180, 5400, 4900, 3800),
        """Pressed glass with a ring halfway up, so that wet fingers find a hold and four of
        them stack without sulking. Good for water, better for highballs, best for evening
        light.""",
        shows="A stack of pressed glasses",
        motif="glasses",
        scene="window",
        ground="sky",
        options={"Colour": "Glass, Amber, Slate"},
    ),
    item(
        "TOKKRI",
        "Tokkuri and Two Cups",
        "bowls-cups",
        (1580, 7200, 6600, 5100),
        """A flask with a waist, and two cups that hold no more than a toast. Stand it in hot
        water until the shoulder warms your palm: that is the right temperature. Pour for your
        friend, never for yourself.""",
        shows="A waisted sake flask with two small cups",
        motif="tokkuri",
        scene="sun",
        ground="ink",
        options={"Colour": "Chalk, Clay, Celadon"},
    ),
    item(
        "PLATE",
        "Half-Moon Plate",
        "bowls-cups",
        (620, 2900, 2600, 2000),
        """Sits flush against the rice bowl on a table for one and a half. Dipped by hand, so
        the line where the glaze stops is a different coast on every plate.""",
        shows="A dipped plate standing on its edge",
        motif="plate",
        scene="arch",
        ground="sand",
        options={"Glaze": "Indigo, Sage, Rose"},
    ),
    # --- lunch on the way ------------------------------------------------------------------------
    item(
        "BENTO",
        "Two-Tier Bento Box",
        "lunch-on-the-way",
        (1380, 6400, 5900, 4500),
        """Rice below, everything else above, a strap around the lot. Bent cedar breathes, so
        the rice is as good at noon as it was at seven. Finished with urushi that a grandmother
        would approve of.""",
        shows="A two-tier lunch box with a strap",
        motif="bento",
        scene="table",
        ground="celadon",
        options={"Lacquer": "Brick, Ink, Camphor"},
        beside=Piece("chopsticks", COLOURS["Walnut"], {"standing": True}, x=190, y=52, scale=0.62),
    ),
    item(
        "TIFFIN",
        "Joo Chiat Tiffin Carrier",
        "lunch-on-the-way",
        (1580, 7400, 6600, 5200),
        """Curry, rice, sambal, in that order, clamped under one handle and carried down the
        five-foot way. Spun steel that shrugs off turmeric. Three tiers for a day at sea, two
        for the office.""",
        shows="A tiffin carrier of stacked tins under a handle",
        motif="tiffin",
        scene="sun",
        ground="rose",
        options={"Colour": "Steel, Harbour", "Tiers": "Two, Three"},
        by={"Two": {"tiers": 2}, "Three": {"tiers": 3}},
        more={"Three": (300, 1400, 1200, 1000)},
    ),
    item(
        "FLASK",
        "Night Watch Flask",
        "lunch-on-the-way",
        (1280, 5900, 5400, 4200),
        """Fill it at ten and the cup at four will still fog your glasses. The lid is the mug,
        the stopper has one moving part, and the paint is the kind they use on buoys.""",
        shows="A tall vacuum flask with a cup for a lid",
        motif="flask",
        scene="hills",
        ground="ink",
        options={"Colour": "Signal, Harbour, Cream", "Volume": "500 ml, 800 ml"},
        more={"800 ml": (250, 1200, 1000, 800)},
        featured=True,
    ),
    item(
        "CHPSTK",
        "Travel Chopsticks",
        "lunch-on-the-way",
        (480, 2200, 2000, 1600),
        """They come apart in the middle with a quarter turn of a brass thread and live in a
        slip of waxed canvas. Lacquered at the tips for noodles. You will start to refuse the
        disposable kind.""",
        shows="A pair of chopsticks on a rest",
        motif="chopsticks",
        scene="flat",
        ground="rose",
        options={"Wood": "Walnut, Cherry, Bamboo"},
    ),
    item(
        "SPORK",
        "Titanium Camp Spoon",
        "lunch-on-the-way",
        (580, 2700, 2500, 1900),
        """Long enough to reach the bottom of the pouch, light enough to forget. Heat-blued by
        hand over a flame; no two colours come out the same.""",
        shows="A long-handled spoon and fork",
        motif="cutlery",
        scene="flat",
        ground="ochre",
        options={"Finish": "Titanium, Indigo, Plum"},
    ),
]
