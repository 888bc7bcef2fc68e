"""Draws the demo's pictures: `draw(picture)` gives an SVG, the same bytes every time."""

from shop.demo.drawing.canvas import Canvas, num
from shop.demo.drawing.motifs import MOTIFS
from shop.demo.drawing.scenes import FEET, draw_scene
from shop.demo.items import Picture

FLAT = ("flat", "wall")


def draw(picture: Picture) -> bytes:
    """Raises KeyError for an unknown scene, ground or motif."""
    canvas = Canvas()
    draw_scene(canvas, picture.scene, picture.ground, picture.pieces[0].tone)
    foot_x, foot_y, size = FEET[picture.scene]
    for piece in picture.pieces:
        place = f"translate({num(foot_x + piece.x)} {num(foot_y + piece.y)})"
        place += f" scale({piece.scale * size:.3f})"
        if piece.turn:
            place += f" rotate({num(piece.turn)})"
        with canvas.group(place, lifted=picture.scene in FLAT):
            MOTIFS[piece.motif](canvas, piece.tone, **piece.params)
    return canvas.svg()
