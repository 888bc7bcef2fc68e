"""Secrets: there, and the same in every region. Only fingerprints ever leave a process."""

import hmac
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.conf import settings

from regions.checks.instances import VIEW
from regions.checkup import Check, Finding, State, conclusion, fact, findings_of

SECRETS: Final = Check(
    "secrets.same",
    "every region has the same secrets",
    impact="What one region signed another refuses: shoppers are signed out, forms and card"
    " payments fail there.",
    advice="Give that region the secrets that the others have, and restart its instances.",
    rank=1,
    deep=False,
)


def _known() -> dict[str, str]:
    """Secret settings by the name of their variable; empty where there is none."""
    mailer: dict[str, Any] = getattr(settings, "MAILERS", {}).get("default", {})
    return {
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_PASSWORD": settings.DATABASES["default"]["PASSWORD"],
        "EMAIL_HOST_PASSWORD": mailer.get("OPTIONS", {}).get("password", ""),
        "STRIPE_SECRET_KEY": getattr(settings, "STRIPE_SECRET_KEY", ""),
        "STRIPE_WEBHOOK_SECRET": getattr(settings, "STRIPE_WEBHOOK_SECRET", ""),
    }


@fact("secrets")
def secrets() -> dict[str, str | None]:
    """A fingerprint of each, keyed with SECRET_KEY: a weak one cannot be guessed from it."""
    key = settings.SECRET_KEY.encode()
    return {name: _fingerprint(key, name, value) for name, value in _known().items()}


@fact("former_secret_keys")
def former_secret_keys() -> list[str | None]:
    """What SECRET_KEY_FALLBACKS would give for SECRET_KEY: a rotation that is under way."""
    keys = [str(former) for former in settings.SECRET_KEY_FALLBACKS]
    return [_fingerprint(key.encode(), "SECRET_KEY", key) for key in keys]


def _fingerprint(key: bytes, name: str, value: str | None) -> str | None:
    if not value:
        return None
    return hmac.digest(key, f"regions.secrets\0{name}\0{value}".encode(), "sha256").hex()[:12]


@conclusion(SECRETS, needs=[VIEW])
def same(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Each region is compared with the first that answered."""
    told = [found for found in findings_of(VIEW, findings) if found.data.get("facts")]
    for finding in told:
        first, facts = told[0].data["facts"], finding.data["facts"]
        where, region = f"against {told[0].region}", finding.region
        differing = _differing(first, facts)
        if not differing:
            count = sum(value is not None for value in facts["secrets"].values())
            yield SECRETS.ok(where, f"{count} secrets, the same", region=region)
        elif _is_rotating(first, facts) and differing == ["SECRET_KEY"]:
            yield SECRETS.problem(
                where,
                "another SECRET_KEY, which the other knows as a former one or the reverse",
                region=region,
                state=State.DEGRADED,
                impact="None while SECRET_KEY is being changed.",
                advice="Give every region the new SECRET_KEY, the old one in SECRET_KEY_FALLBACKS.",
            )
        else:
            detail = f"differs or is missing: {', '.join(differing)}"
            yield SECRETS.problem(where, detail, region=region)


def _differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Where SECRET_KEY differs, so do all fingerprints: then only what is missing is named."""
    one, two = first["secrets"], second["secrets"]
    if one["SECRET_KEY"] != two["SECRET_KEY"]:
        missing = [name for name in one if (one[name] is None) != (two.get(name) is None)]
        return ["SECRET_KEY", *missing]
    return [name for name in one if one[name] != two.get(name)]


def _is_rotating(first: dict[str, Any], second: dict[str, Any]) -> bool:
    one, two = first["secrets"]["SECRET_KEY"], second["secrets"]["SECRET_KEY"]
    return one in second["former_secret_keys"] or two in first["former_secret_keys"]
