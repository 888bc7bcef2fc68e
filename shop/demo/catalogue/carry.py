"""Carry, and Travel."""

from typing import Final

from shop.demo.items import DemoProduct, Piece, item
from shop.demo.palette import COLOURS

CARRY: Final[list[DemoProduct]] = [
    # --- bags -----------------------------------------------------------------------------
    item(
        "DKTOTE",
        "Dockside Tote",
        "bags",
        (1290, 6200, 5500, 4200),
        """Eighteen-ounce canvas with a base dipped in a second colour, as the crates at Keelung
        were. It stands up by itself while you look for your keys. The handles are one piece of
        webbing each and run all the way under.""",
        shows="A canvas tote with a dipped base",
        motif="tote",
        scene="wall",
        ground="celadon",
        options={"Colour": "Oat, Harbour, Persimmon", "Size": "Day, Weekend"},
        more={"Weekend": (400, 1800, 1700, 1300)},
    ),
    item(
        "MKTBAG",
        "Market Net Bag",
        "bags",
        (390, 1800, 1600, 1250),
        """Knotted by the net menders of Penghu in the weeks when boats stay in. Folds to a
        fist, swallows a watermelon. Every knot was tied by someone whose living depends on
        knots.""",
        shows="A knotted net bag holding oranges",
        motif="netbag",
        scene="wall",
        ground="sky",
        options={"Colour": "Cream, Signal, Indigo"},
    ),
    item(
        "RUCK",
        "Ridge Rucksack",
        "bags",
        (4280, 19800, 18500, 13900),
        """Waxed cotton, one big room, a lid that keeps weather out and a pocket that keeps a
        passport in. Twenty-two litres carries three days if you fold well. The buckles are
        brass and bigger than they need to be, for gloves.""",
        shows="A rucksack with a buckled lid",
        motif="backpack",
        scene="table",
        ground="ochre",
        options={"Colour": "Moss, Navy, Tan"},
        featured=True,
    ),
    item(
        "ROLLTP",
        "Roll-Top Day Pack",
        "bags",
        (3480, 15900, 14800, 11500),
        """Roll it three times and the monsoon can do what it likes. Inside, a sleeve for a
        laptop and a loop for a wet umbrella. Made of sailcloth remnants, so the seams have
        already crossed a sea.""",
        shows="A roll-top pack with side straps",
        motif="backpack",
        scene="hills",
        ground="rose",
        top="roll",
        options={"Colour": "Persimmon, Slate, Sage"},
    ),
    item(
        "SATCHL",
        "Letter Carrier's Satchel",
        "bags",
        (5280, 24500, 22800, 17200),
        """Cut to the pattern of the Taipei post, 1958: one flap, one strap, room for the
        morning round. The leather arrives stiff and honest. Give it a rainy season.""",
        shows="A leather satchel with a long strap",
        motif="satchel",
        scene="wall",
        ground="sand",
        options={"Leather": "Tan, Chestnut, Black"},
    ),
    item(
        "DUFFEL",
        "Overnight Duffel",
        "bags",
        (3980, 18600, 17200, 12900),
        """Two shirts, a book, a bottle for the host. Goes under any seat we have tried, and the
        shoulder strap hides in a pocket when you would rather look composed.""",
        shows="A round-ended duffel bag with handles",
        motif="duffel",
        scene="table",
        ground="celadon",
        options={"Colour": "Charcoal, Tan, Harbour"},
    ),
    # --- pouches and wallets ------------------------------------------------------------------
    item(
        "ZIPPCH",
        "Ditty Pouch",
        "pouches-wallets",
        (590, 2700, 2500, 1900),
        """Sailors kept needles and letters in a ditty bag; yours will hold chargers and a lip
        balm. The zip is metal, the pull is a short end of the rope we sell two shelves on.""",
        shows="A flat zipped pouch with a rope pull",
        motif="pouch",
        scene="flat",
        ground="sand",
        options={"Colour": "Indigo, Clay, Sage", "Size": "Small, Large"},
        more={"Large": (200, 900, 800, 600)},
    ),
    item(
        "DRAWPO",
        "Furoshiki-Tie Pouch",
        "pouches-wallets",
        (480, 2200, 2000, 1550),
        """Two cords pull against each other and the neck closes like a flower at dusk. Printed
        in Kyoto with waves by a workshop that only does waves. Rice, marbles, a camera lens.""",
        shows="A drawstring pouch with a wave pattern",
        motif="drawpouch",
        scene="table",
        ground="rose",
        options={"Colour": "Indigo, Plum, Harbour"},
    ),
    item(
        "WALLET",
        "Ferry Ticket Wallet",
        "pouches-wallets",
        (1880, 8600, 7900, 6100),
        """Slim, four cards, notes of three countries flat behind them. One piece of leather,
        folded like a paper boat and held by two lines of thread. The outside pocket is exactly
        one transit card wide.""",
        shows="A folded leather wallet with stitched edges",
        motif="wallet",
        scene="flat",
        ground="celadon",
        options={"Leather": "Natural, Chestnut, Black"},
        beside=Piece("keyring", COLOURS["Brass"], {}, x=180, y=70, scale=0.62),
    ),
    item(
        "PSSPRT",
        "Passport Sleeve",
        "pouches-wallets",
        (1080, 4900, 4600, 3500),
        """A cover that does not pretend to be a purse. It keeps the corners square, and there
        is a slot for the landing card that you are always asked for while standing.""",
        shows="A passport sleeve with an embossed compass rose",
        motif="notebook",
        scene="flat",
        ground="paper",
        cover="rose",
        options={"Leather": "Chestnut, Tan, Black"},
    ),
    item(
        "KEYRNG",
        "Bosun's Key Ring",
        "pouches-wallets",
        (680, 3200, 2900, 2200),
        """A shackle for keys: unscrew the pin, add the new flat, screw it shut. Cast solid, so
        it lands on a table like punctuation. The leather tab takes your initials.""",
        shows="A shackle key ring with two keys",
        motif="keyring",
        scene="wall",
        ground="harbour",
        options={"Metal": "Brass, Steel, Copper"},
    ),
    item(
        "COINPR",
        "Clasp Coin Purse",
        "pouches-wallets",
        (520, 2400, 2200, 1700),
        """The frame shuts with a click that you can hear across a kissaten. Made for countries
        that still believe in coins. The lining is a surprise; it is different every month.""",
        shows="A round coin purse with a kiss-lock clasp",
        motif="purse",
        scene="table",
        ground="ochre",
        options={"Colour": "Brick, Harbour, Plum"},
    ),
]

TRAVEL: Final[list[DemoProduct]] = [
    item(
        "TRUNK",
        "Cabin Trunk",
        "travel",
        (8900, 41000, 38500, 29800),
        """Vulcanised fibre over ash, riveted corners, a lid that takes stickers as a
        compliment. It slides beneath a berth and serves as a table in the first weeks of a new
        flat. Built in Tokyo by two brothers who answer their own telephone.""",
        shows="A travelling trunk with riveted corners",
        motif="trunk",
        scene="hills",
        ground="ochre",
        options={"Colour": "Harbour, Tan, Navy"},
        featured=True,
    ),
    item(
        "PACKCB",
        "Packing Cubes, Set of Three",
        "travel",
        (980, 4500, 4200, 3200),
        """Clean, worn, and the clothes that are neither. Mesh on one side so customs can see
        that you are a tidy person.""",
        shows="A stack of three zipped packing cubes",
        motif="cubes",
        scene="table",
        ground="paper",
        options={"Colour": "Sage, Persimmon, Slate"},
    ),
    item(
        "LUGTAG",
        "Luggage Tag",
        "travel",
        (320, 1480, 1350, 1000),
        """Leather, brass, and a window for your name. On the carousel it is the only thing that
        nobody else has. Sold singly, since bags get lost singly.""",
        shows="A leather luggage tag on a strap",
        motif="tag",
        scene="wall",
        ground="sky",
        options={"Leather": "Natural, Chestnut, Harbour"},
    ),
    item(
        "EYEMSK",
        "Night Train Sleep Mask",
        "travel",
        (680, 3100, 2900, 2200),
        """Mulberry silk outside, flannel inside, and a shape that lets you blink. The light of
        Shin-Osaka at four in the morning does not exist.""",
        shows="A padded sleep mask",
        motif="mask",
        scene="flat",
        ground="rose",
        options={"Colour": "Navy, Plum, Sage"},
    ),
    item(
        "TRCLOK",
        "Folding Travel Clock",
        "travel",
        (1480, 6900, 6300, 4800),
        """Opens like an oyster, stands like a tent, ticks like a person who has thought about
        it. One hand-wound alarm that has never failed to make a boat.""",
        shows="A travel clock standing in its open case",
        motif="clock",
        scene="sun",
        ground="sand",
        options={"Leather": "Chestnut, Harbour, Brick"},
        case=True,
    ),
    item(
        "NKPLLW",
        "Kapok Neck Pillow",
        "travel",
        (880, 4100, 3800, 2900),
        """Filled with the silk of kapok trees, which weighs nothing and does not squeak. The
        linen cover comes off for washing; the toggle keeps it round your bag and not on the
        floor.""",
        shows="A crescent neck pillow with a toggle",
        motif="pillow",
        scene="flat",
        ground="ochre",
        options={"Colour": "Slate, Oat, Moss"},
    ),
]
