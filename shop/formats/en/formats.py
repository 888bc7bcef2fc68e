"""Day before month and 24 hours, as in all three harbours."""

DATE_FORMAT = "j F Y"  # 5 September 2026
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j F Y, H:i"
