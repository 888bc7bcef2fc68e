"""Production starts only with every secret, and says in one line which one is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = (
    "ANYPORT_REGION",
    "ANYPORT_REGIONS",
    "ANYPORT_URL",
    "DATABASE_HOSTS",
    "DATABASE_PASSWORD",
    "EMAIL_HOST",
    "EMAIL_HOST_PASSWORD",
    "REDIS_SENTINELS",
    "SECRET_KEY",
    "SESSION_KEYS",
    "SHOP_BANK_ACCOUNT",
    "SHOP_SELLER",
)


def production_environment() -> dict[str, str]:
    lines = (ROOT / "tests" / "production.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def start(environment: dict[str, str], then: str = "pass") -> subprocess.CompletedProcess[str]:
    """Load the settings, and do something with them."""
    return subprocess.run(
        [sys.executable, "-c", f"from settings import production; {then}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_production_starts_with_every_variable_set() -> None:
    result = start(production_environment())

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", REQUIRED)
def test_production_names_the_missing_variable_in_one_line(name: str) -> None:
    environment = production_environment()
    del environment[name]
    named = "REDIS_URL" if name == "REDIS_SENTINELS" else name

    result = start(environment)

    assert result.returncode == 1
    assert result.stderr.startswith(f"anyport: {named} ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANYPORT_REGION", "osaka"),
        ("ANYPORT_REGIONS", "taiwan"),
        ("COORDINATION_REGION", "mars"),
        ("DATABASE_HOSTS", "db-without-port"),
        ("EMAIL_PORT", "twenty-five"),
        ("EMAIL_USE_TLS", "maybe"),
        ("REDIS_SENTINELS", "sentinel"),
        ("SECRET_KEY", "short"),
        ("SESSION_KEYS", "k1:not-base64!"),
        ("SESSION_KEYS", "k1:c2hvcnQ="),
        ("SESSION_COOKIE_DOMAIN", ".other.example"),
        ("SESSION_COOKIE_DOMAIN", "tokyo.shop.example"),
        ("SESSION_COOKIE_DOMAIN", "hop.example"),
        ("SESSION_COOKIE_DOMAIN", ".example"),
        ("SESSION_COOKIE_DOMAIN", "https://shop.example"),
        ("SESSION_COOKIE_DOMAIN", "."),
    ],
)
def test_production_refuses_a_wrong_value_without_repeating_secrets(name: str, value: str) -> None:
    result = start(production_environment() | {name: value})

    assert result.returncode == 1
    assert result.stderr.startswith(f"anyport: {name} ")
    assert result.stderr.count("\n") == 1
    if name in {"SECRET_KEY", "SESSION_KEYS"}:
        assert value not in result.stderr


STRIPE = {"STRIPE_SECRET_KEY": "sk_live_check-only", "STRIPE_WEBHOOK_SECRET": "whsec_check-only"}


def test_production_takes_cards_only_with_stripes_key() -> None:
    show = "print(*production.PAYMENT_METHODS, production.SECURE_CSP['form-action'])"

    without = start(production_environment(), show)
    with_key = start(production_environment() | STRIPE, show)

    assert without.stdout == "invoice cash_on_delivery [<CSP.SELF: \"'self'\">]\n"
    assert with_key.stdout == (
        "invoice cash_on_delivery card [<CSP.SELF: \"'self'\">, 'https://checkout.stripe.com']\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_SECRET_KEY", "pk_live_is-the-public-one"),
        ("STRIPE_WEBHOOK_SECRET", ""),
    ],
)
def test_production_refuses_half_a_stripe(name: str, value: str) -> None:
    result = start(production_environment() | STRIPE | {name: value})

    assert result.returncode == 1
    assert result.stderr.startswith(f"anyport: {name} ")
    assert result.stderr.count("\n") == 1
    assert "check-only" not in result.stderr


def test_production_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    environment = production_environment()
    secret = tmp_path / "secret"
    secret.write_text(environment.pop("SECRET_KEY") + "\n")

    result = start(environment | {"SECRET_KEY_FILE": str(secret)})

    assert (result.returncode, result.stderr) == (0, "")


def test_production_names_a_secret_file_that_cannot_be_read(tmp_path: Path) -> None:
    environment = production_environment()
    del environment["SECRET_KEY"]

    result = start(environment | {"SECRET_KEY_FILE": str(tmp_path / "absent")})

    assert result.returncode == 1
    assert result.stderr.startswith("anyport: SECRET_KEY_FILE cannot be read: ")


# --- Cookies -------------------------------------------------------------------------------------

COOKIES = ("SESSION", "CSRF", "LANGUAGE")


def cookie_settings(environment: dict[str, str], name: str) -> dict[str, object]:
    """By cookie."""
    wanted = ", ".join(f"getattr(production, '{cookie}_COOKIE_{name}', None)" for cookie in COOKIES)
    result = start(environment, f"import json; print(json.dumps([{wanted}]))")
    assert (result.returncode, result.stderr) == (0, "")
    return dict(zip(COOKIES, json.loads(result.stdout), strict=True))


def test_production_sends_cookies_over_tls_only_and_to_this_site_only() -> None:
    environment = production_environment()

    assert set(cookie_settings(environment, "SECURE").values()) == {True}
    assert set(cookie_settings(environment, "SAMESITE").values()) == {"Lax"}
    assert cookie_settings(environment, "HTTPONLY")["SESSION"] is True
    assert cookie_settings(environment, "NAME")["SESSION"] == "SESSION"
    assert cookie_settings(environment, "AGE")["SESSION"] == 24 * 60 * 60


@pytest.mark.parametrize(
    ("url", "domain", "sent"),
    [
        ("https://shop.example", "", None),
        ("https://shop.example", ".shop.example", ".shop.example"),
        ("https://shop.example", "shop.example", ".shop.example"),
        ("https://tokyo.shop.example:8443", ".Shop.Example", ".shop.example"),
        ("https://tokyo.shop.example/", ".tokyo.shop.example", ".tokyo.shop.example"),
    ],
)
def test_production_shares_its_cookies_with_the_names_below_a_domain(
    url: str, domain: str, sent: str | None
) -> None:
    environment = production_environment() | {"ANYPORT_URL": url, "SESSION_COOKIE_DOMAIN": domain}

    assert cookie_settings(environment, "DOMAIN") == dict.fromkeys(COOKIES, sent)


def test_production_shares_no_cookie_of_an_address_without_a_name() -> None:
    environment = production_environment() | {"ANYPORT_URL": "https://203.0.113.7"}

    result = start(environment | {"SESSION_COOKIE_DOMAIN": ".113.7"})

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("anyport: SESSION_COOKIE_DOMAIN ")
