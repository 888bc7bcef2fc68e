"""How passwords are kept."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id with OWASP's first choice of cost: 19 MiB, two passes, one thread.

    Django's default takes 100 MiB and eight threads, which some log-ins at once would not leave to
    the shop; its PBKDF2 takes half a second of a processor. A password that is kept otherwise is
    kept like this after its next log-in.
    Source: OWASP Password Storage Cheat Sheet.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
