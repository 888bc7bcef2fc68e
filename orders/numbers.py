"""Order numbers as people write them."""

import re
import unicodedata
from typing import Final

from orders.models.order import NUMBER_ALPHABET

_BODY: Final = 12
_LOOKALIKES: Final = str.maketrans("OIL", "011")


def read_number(written: str) -> str | None:
    """`ap 7k3q9xwm 2f4t` → `AP-7K3Q-9XWM-2F4T`; None for what cannot be a number.

    As Crockford's base 32 prescribes, O is read as 0, I and L as 1.
    """
    plain = unicodedata.normalize("NFKC", written)  # ＡＰ, as Japanese keyboards write it
    letters = re.sub(r"[\s\-‐–—_.#]+", "", plain).upper()
    if len(letters) == _BODY + 2:
        letters = letters.removeprefix("AP")
    letters = letters.translate(_LOOKALIKES)
    if len(letters) != _BODY or any(letter not in NUMBER_ALPHABET for letter in letters):
        return None
    return "AP-" + "-".join(letters[start : start + 4] for start in range(0, _BODY, 4))
