"""Production: every secret is required, cookies and transport are strict."""

from urllib.parse import urlsplit

from settings.base import *  # noqa: F403  # settings build on settings
from settings.base import ANYPORT_URL
from settings.env import env_bool, env_domain, env_int, env_lines, env_str

DEBUG = False

# --- Transport ---------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = True
# The orchestrator asks for health, and Prometheus for metrics, over plain HTTP in the network.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

# --- Cookies: HttpOnly and SameSite=Lax as everywhere (base), and over TLS only -----------------
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
# Where regions have names of their own below one domain, whoever changes over to another one stays
# signed in, in their language, and with a form that still may be sent.
SESSION_COOKIE_DOMAIN = env_domain(
    "SESSION_COOKIE_DOMAIN", of=urlsplit(ANYPORT_URL).hostname or ANYPORT_URL
)
CSRF_COOKIE_DOMAIN = SESSION_COOKIE_DOMAIN
LANGUAGE_COOKIE_DOMAIN = SESSION_COOKIE_DOMAIN

# --- Money: no shop may ask for it in the demo's name -------------------------------------------
SHOP_BANK_ACCOUNT = env_str("SHOP_BANK_ACCOUNT", what="the account that invoices are paid to")
SHOP_SELLER = env_lines("SHOP_SELLER", what="name | address | tax number, for invoices")

# --- E-mail --------------------------------------------------------------------------------------
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env_str("EMAIL_HOST", what="the SMTP server"),
            "port": env_int("EMAIL_PORT", 587),
            "username": env_str("EMAIL_HOST_USER", ""),
            "password": env_str("EMAIL_HOST_PASSWORD", what="the SMTP password"),
            "use_tls": env_bool("EMAIL_USE_TLS", True),
            "timeout": 5,
        },
    }
}
