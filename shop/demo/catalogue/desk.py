"""Paper & Ink, and Light."""

from typing import Final

from shop.demo.items import DemoProduct, Piece, item
from shop.demo.palette import COLOURS

DESK: Final[list[DemoProduct]] = [
    # --- notebooks --------------------------------------------------------------------------
    item(
        "LOGBK",
        "Harbour Logbook",
        "notebooks",
        (580, 2700, 2500, 1900),
        """Sewn in sixteens, so it opens flat at the first page and at the last. The paper is a
        warm white from Shizuoka that takes a wet nib without feathering. Numbered pages; a
        ribbon that reaches.""",
        shows="A cloth-bound logbook with a ribbon and an elastic",
        motif="notebook",
        scene="flat",
        ground="ochre",
        options={"Colour": "Harbour, Brick, Navy", "Size": "A6, A5"},
        more={"A5": (200, 900, 800, 600)},
        featured=True,
        beside=Piece("pen", COLOURS["Brass"], {}, x=170, y=10, scale=0.8),
    ),
    item(
        "POCKNB",
        "Pocket Notebooks, Three",
        "notebooks",
        (380, 1700, 1600, 1250),
        """Forty-eight pages and two staples: one for the shopping, one for the sketch, one for
        the idea at the bus stop. Rounded corners survive back pockets.""",
        shows="Three thin notebooks fanned out",
        motif="notebook",
        scene="flat",
        ground="sky",
        cover="fan",
        options={"Colour": "Clay, Sage, Indigo"},
    ),
    item(
        "SKETCH",
        "Field Sketchbook",
        "notebooks",
        (880, 4100, 3800, 2900),
        """Rough on one side for pencil, smooth on the other for wash, with a spine of linen
        tape that can be folded right back. Fits under an arm on a moving tram.""",
        shows="A spiral sketchbook with a drawing of islands",
        motif="notebook",
        scene="flat",
        ground="sand",
        cover="spiral",
        options={"Colour": "Charcoal, Tan, Celadon"},
    ),
    item(
        "LETTER",
        "Airmail Letter Set",
        "notebooks",
        (420, 1900, 1750, 1350),
        """Twelve sheets thin enough to hear and twelve envelopes with the striped edge that
        used to mean somebody far away was thinking of you. It still does.""",
        shows="Envelopes with striped airmail edges",
        motif="envelope",
        scene="flat",
        ground="celadon",
        options={"Stripe": "Signal, Indigo, Harbour"},
    ),
    item(
        "WASHI",
        "Washi Wrapping Sheets",
        "notebooks",
        (480, 2200, 2000, 1600),
        """Kozo paper made in river water in January, when it is cold enough. Wrap a present in
        it and the present has to keep up.""",
        shows="Rolls of patterned paper tied with cord",
        motif="rolls",
        scene="flat",
        ground="rose",
        options={"Pattern": "Indigo, Plum, Moss"},
    ),
    # --- pens and ink ------------------------------------------------------------------------
    item(
        "FNTPEN",
        "Straits Fountain Pen",
        "pens-ink",
        (2880, 13200, 12400, 9400),
        """Turned from a single rod, with a steel nib ground in Tokyo by a man who asks how you
        hold it. Short in the pocket, full length in the hand. Fills from the bottle with a
        sound like a small boat.""",
        shows="A fountain pen with its cap off",
        motif="pen",
        scene="flat",
        ground="sand",
        options={"Colour": "Harbour, Ink", "Nib": "Fine, Medium"},
        by={"Fine": {"nib": 1}, "Medium": {"nib": 2}},
        beside=Piece("ink", COLOURS["Indigo"], {"flat": True}, x=170, y=60, scale=0.66),
    ),
    item(
        "BRSPEN",
        "Brass Pocket Pen",
        "pens-ink",
        (980, 4600, 4200, 3200),
        """Ninety-two millimetres closed, and heavy enough to know it is there. The hexagonal
        barrel does not roll off a chart table. It takes the refill that every stationer in Asia
        keeps.""",
        shows="A hexagonal pocket pen",
        motif="pen",
        scene="flat",
        ground="harbour",
        kind="ball",
        options={"Metal": "Brass, Copper, Iron"},
    ),
    item(
        "PENCIL",
        "Cedar Pencils, Box of Twelve",
        "pens-ink",
        (320, 1500, 1350, 1000),
        """Incense cedar, a core that neither scratches nor smears, six sides and no slogan.
        Sharpen one and the room smells of beginnings.""",
        shows="A fan of cedar pencils",
        motif="pencils",
        scene="flat",
        ground="mist",
        options={"Colour": "Persimmon, Harbour", "Grade": "HB, 2B"},
        by={"HB": {"count": 5}, "2B": {"count": 6}},
        beside=Piece("notebook", COLOURS["Celadon"], {"cover": "plain"}, x=200, y=70, scale=0.62),
    ),
    item(
        "INKBTL",
        "Bottled Ink, 40 ml",
        "pens-ink",
        (480, 2200, 2000, 1550),
        """Eight shades were mixed from memory of one week on the water; these are the five that
        everyone agreed on. Dries in twelve seconds, shades where you linger, washes out of
        cuffs. Mostly.""",
        shows="A square bottle of ink with a dark stopper",
        motif="ink",
        scene="window",
        ground="paper",
        options={"Ink": "Indigo, Harbour, Persimmon, Plum, Charcoal"},
        beside=Piece("notebook", COLOURS["Tan"], {"standing": True}, x=165, y=-12, scale=0.62),
    ),
    item(
        "BRUSH",
        "Calligraphy Brush",
        "pens-ink",
        (720, 3300, 3000, 2350),
        """Weasel at the tip, goat at the belly: spring and patience in one stroke. The handle
        is mottled bamboo, picked by someone who stood in the grove for a while.""",
        shows="A calligraphy brush and an ink stroke",
        motif="brush",
        scene="flat",
        ground="paper",
        options={"Handle": "Bamboo, Walnut, Brick"},
    ),
    item(
        "SEALBX",
        "Seal Stone and Paste",
        "pens-ink",
        (1180, 5400, 4900, 3800),
        """A block of soft stone from Hualien, ready for your name, with cinnabar paste in a
        lidded dish. Send us the characters and we will cut them, or keep it blank and
        mysterious.""",
        shows="A stone seal beside a dish of red paste",
        motif="seal",
        scene="table",
        ground="celadon",
        options={"Stone": "Celadon, Cream, Slate"},
    ),
]

LIGHT: Final[list[DemoProduct]] = [
    item(
        "STORML",
        "Storm Lantern",
        "light",
        (1980, 9200, 8500, 6500),
        """The lamp that hung on every fishing boat between Keelung and Kagoshima. It draws its
        air down through the frame, so wind only makes it think. Trim the wick, half a turn, and
        the evening slows.""",
        shows="A storm lantern with a burning wick",
        motif="lantern",
        scene="hills",
        ground="ink",
        options={"Colour": "Signal, Harbour, Brass"},
        featured=True,
    ),
    item(
        "PAPERL",
        "Paper Lantern",
        "light",
        (890, 4100, 3800, 2900),
        """Bamboo ribs wound in one long spiral, paper pasted on wet so that it dries taut.
        Collapses to the thickness of a book. Hang two, leave the big light off.""",
        shows="A ribbed paper lantern, glowing",
        motif="paperlamp",
        scene="wall",
        ground="ink",
        options={"Colour": "Cream, Persimmon", "Shape": "Round, Tall"},
        by={"Round": {}, "Tall": {"tall": True}},
        more={"Tall": (100, 500, 400, 300)},
    ),
    item(
        "DESKLP",
        "Chart Table Lamp",
        "light",
        (3680, 16900, 15800, 11900),
        """A brass elbow, a steel shade and a switch with a real click. It throws a circle just
        the size of a chart, and keeps the rest of the cabin asleep.""",
        shows="A desk lamp with a jointed arm",
        motif="desklamp",
        scene="table",
        ground="celadon",
        options={"Colour": "Harbour, Ochre, Charcoal"},
    ),
    item(
        "GLOBEL",
        "Moon Table Lamp",
        "light",
        (2680, 12400, 11600, 8800),
        """A ball of opal glass that sits in a turned cup and dims until you can just find your
        book. Charges by cable, then wanders: balcony, bath, tent.""",
        shows="A globe lamp on a turned wooden base",
        motif="globe",
        scene="sun",
        ground="ink",
        options={"Base": "Walnut, Oak, Cherry"},
    ),
    item(
        "CANDLE",
        "Beeswax Pillar Candle",
        "light",
        (420, 1950, 1800, 1400),
        """Poured in Yilan from wax that still smells of longan. Burns slow and straight, forty
        hours for the tall one. Pinch the wick; do not blow.""",
        shows="A pillar candle with a flame",
        motif="candle",
        scene="arch",
        ground="clay",
        options={"Wax": "Ochre, Cream", "Height": "Short, Tall"},
        more={"Tall": (160, 750, 700, 500)},
    ),
    item(
        "TEALGT",
        "Pierced Tin Candle House",
        "light",
        (540, 2500, 2300, 1800),
        """A little house cut from tin by a retired shipwright. By day it is plain; with a
        tealight it covers the wall with windows.""",
        shows="A small tin house with lit windows",
        motif="house",
        scene="table",
        ground="ink",
        options={"Colour": "Tin, Copper, Signal"},
    ),
    item(
        "TORCH",
        "Engine Room Torch",
        "light",
        (1180, 5400, 5000, 3800),
        """Knurled where you grip, dimpled where you press, sealed to thirty metres. One
        brightness for reading, one for finding the cat, one for signalling Japan.""",
        shows="A metal torch with a ribbed grip",
        motif="torch",
        scene="flat",
        ground="ink",
        options={"Finish": "Steel, Brass, Signal"},
    ),
]
