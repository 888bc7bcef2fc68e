"""What is true in every environment. Values that differ come from typed variables.

Nothing here has a default for a secret: `local` brings the embedded stack's, `production`
brings none.
"""

from pathlib import Path

import django_stubs_ext
from celery.schedules import crontab
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from settings.accounts import *  # noqa: F403 (a part of these settings)
from settings.admin import UNFOLD as UNFOLD
from settings.databases import *  # noqa: F403 (a part of these settings)
from settings.env import (
    env_bool,
    env_hosts,
    env_int,
    env_keys,
    env_lines,
    env_list,
    env_regions,
    env_secret,
    env_str,
    env_urls,
    refuse,
)
from settings.payments import *  # noqa: F403 (a part of these settings)
from settings.payments import PAYMENT_METHODS, STRIPE_CHECKOUT_ORIGIN

# Lets `ModelForm[Variant]` and its like be written where types are checked strictly.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Regions ---------------------------------------------------------------------------------
ANYPORT_REGIONS = env_regions("ANYPORT_REGIONS")
ANYPORT_REGION = env_str("ANYPORT_REGION", what=f"one of {', '.join(ANYPORT_REGIONS)}")
if ANYPORT_REGION not in ANYPORT_REGIONS:
    refuse("ANYPORT_REGION", f"is {ANYPORT_REGION!r}, not one of {', '.join(ANYPORT_REGIONS)}.")
COORDINATION_REGION = env_str("COORDINATION_REGION", next(iter(ANYPORT_REGIONS)))
if COORDINATION_REGION not in ANYPORT_REGIONS:
    refuse("COORDINATION_REGION", f"is not one of {', '.join(ANYPORT_REGIONS)}.")
# Where each region's own instances answer, past the front door that all regions share.
ANYPORT_REGION_URLS = env_urls("ANYPORT_REGION_URLS", ANYPORT_REGIONS)
# Who moves the writer, by dotted name; `manage.py failover promote` needs one.
FAILOVER_PROVIDER = env_str("FAILOVER_PROVIDER", "")
# What failover.providers.aws.AwsProvider moves.
AURORA_GLOBAL_CLUSTER = env_str("AURORA_GLOBAL_CLUSTER", "")
ELASTICACHE_GLOBAL_GROUP = env_str("ELASTICACHE_GLOBAL_GROUP", "")
# Prefix of every bucket, table and Redis key, so that installations can share a store.
ANYPORT_NAMESPACE = env_str("ANYPORT_NAMESPACE", "anyport")
ANYPORT_URL = env_str("ANYPORT_URL", what="the public address, https://shop.example").rstrip("/")

# What the processes run: an image's name for itself; else a digest of the source (regions.version).
ANYPORT_VERSION = env_str("ANYPORT_VERSION", "")

# --- Applications ----------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "shop.sites.AnyportAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "ninja",
    "regions",
    "storage",
    "sessions_ext",
    "realtime",
    "jobs",
    "shop",
    "orders",
    "failover",
    "failover.audit",
    # Below ours, so that our templates win.
    "allauth",
    "allauth.account",
]

MIDDLEWARE = [
    "regions.middleware.count_requests",
    "regions.middleware.region_header",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "shop.middleware.session_version",
    "sessions_ext.middleware.SessionMiddleware",
    "shop.middleware.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "shop.middleware.AuthenticationMiddleware",
    "sessions_ext.tokens.token_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "settings.urls"
WSGI_APPLICATION = "settings.wsgi.application"
ASGI_APPLICATION = "settings.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context.storefront",
            ],
        },
    },
]

# --- Security --------------------------------------------------------------------------------
SECRET_KEY = env_secret("SECRET_KEY")
# What it was before: sessions and links that were signed with it stay good.
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS", [])
SESSION_KEYS = env_keys("SESSION_KEYS")
_public_host = ANYPORT_URL.partition("://")[2].partition(":")[0]
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", [_public_host])
CSRF_TRUSTED_ORIGINS = [ANYPORT_URL]
X_FRAME_OPTIONS = "DENY"
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "manifest-src": [CSP.SELF],
}
if "card" in PAYMENT_METHODS:  # browsers apply it to where a form is redirected, too
    SECURE_CSP["form-action"] = [CSP.SELF, STRIPE_CHECKOUT_ORIGIN]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# --- Redis (§5): sessions, cache, broker, channel layer --------------------------------------
REDIS_URL = env_str("REDIS_URL", "")
REDIS_SENTINELS = env_hosts("REDIS_SENTINELS", []) if not REDIS_URL else []
if not REDIS_URL and not REDIS_SENTINELS:
    refuse("REDIS_URL", "and REDIS_SENTINELS are both missing: set one of them.")
REDIS_MASTER_NAME = env_str("REDIS_MASTER_NAME", "anyport")
REDIS_LOCAL_URL = env_str("REDIS_LOCAL_URL", REDIS_URL)
# Each region's own node, which `manage.py failover` asks; its password, if any, in the address.
REDIS_REGION_URLS = env_urls("REDIS_REGION_URLS", ANYPORT_REGIONS, scheme="rediss?")
REDIS_DB = env_int("REDIS_DB", 0)
# Seconds. Those of requests, of reads from the local replica, and of the broker and the sockets,
# whose blocking reads last a second when nothing is amiss.
REDIS_REQUEST_TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
REDIS_LOCAL_TIMEOUTS = {"socket_connect_timeout": 0.2, "socket_timeout": 0.3}
REDIS_TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 2.0}
# One try each: there are others to ask, and redis-py would ask one that is gone eleven times.
REDIS_SENTINEL_TIMEOUTS = {"socket_connect_timeout": 0.3, "socket_timeout": 0.5}

if REDIS_SENTINELS:
    CELERY_BROKER_URL = ";".join(
        f"sentinel://{host}:{port}/{REDIS_DB}" for host, port in REDIS_SENTINELS
    )
    _channel_host: dict[str, object] = {
        "sentinels": [tuple(sentinel) for sentinel in REDIS_SENTINELS],
        "sentinel_kwargs": REDIS_SENTINEL_TIMEOUTS | {"retry": AsyncRetry(NoBackoff(), 0)},
        "master_name": REDIS_MASTER_NAME,
    }
else:
    CELERY_BROKER_URL = f"{REDIS_URL}/{REDIS_DB}"
    _channel_host = {"address": f"{REDIS_URL}/{REDIS_DB}"}

# django-redis takes its client from our helper, so time-outs and retries have one home.
DJANGO_REDIS_CONNECTION_FACTORY = "storage.redis.DjangoRedisConnectionFactory"
CACHES = {
    "default": {
        "BACKEND": "storage.backend.SharedCache",
        "LOCATION": "primary",
        "KEY_PREFIX": ANYPORT_NAMESPACE,
        "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
    }
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [_channel_host | REDIS_TIMEOUTS],
            "prefix": f"{ANYPORT_NAMESPACE}-{REDIS_DB}",
        },
    }
}

# --- Sessions (§6) ---------------------------------------------------------------------------
SESSION_ENGINE = "sessions_ext.engine"
SESSION_REGION = ANYPORT_REGION
SESSION_KEY_PREFIX = f"{ANYPORT_NAMESPACE}:session"
SESSION_REDIS_CLIENT = "storage.redis.redis_primary"
SESSION_REDIS_REPLICA_CLIENT = "storage.redis.redis_local"
SESSION_DYNAMODB_CLIENT = "storage.clients.dynamodb"
SESSION_DYNAMODB_TABLE = f"{ANYPORT_NAMESPACE}-sessions"
SESSION_COOKIE_NAME = "SESSION"
SESSION_COOKIE_AGE = 24 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "shop.views.errors.csrf_failure"
# A cookie, so that a message needs no session and is shown by whichever region comes next.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# --- AWS: S3 and DynamoDB (§7) ---------------------------------------------------------------
# Empty for AWS itself. The two services may live at different addresses, named as boto3 does.
_aws_endpoint = env_str("AWS_ENDPOINT_URL", "")
S3_ENDPOINT_URL = env_str("AWS_ENDPOINT_URL_S3", _aws_endpoint) or None
DYNAMODB_ENDPOINT_URL = env_str("AWS_ENDPOINT_URL_DYNAMODB", _aws_endpoint) or None
# Seconds, each of at most two tries; to connect, for each address of the name. Requests wait for
# DynamoDB when Redis is gone.
AWS_TIMEOUTS = {"connect_timeout": 1.0, "read_timeout": 2.0}
# For commands, which list whole buckets and make tables, also beside a stack that starts.
AWS_PATIENT_TIMEOUTS = {"connect_timeout": 2.0, "read_timeout": 15.0}
DYNAMODB_TIMEOUTS = {"connect_timeout": 0.5, "read_timeout": 1.0}
# Where browsers reach the public bucket: the CDN, or locally the front door.
ASSETS_URL = env_str("ASSETS_URL", "/assets/")
if "://" in ASSETS_URL:
    SECURE_CSP["img-src"] = [*SECURE_CSP["img-src"], ASSETS_URL]
STORAGES = {
    "default": {"BACKEND": "storage.files.UploadsStorage"},
    "assets": {"BACKEND": "storage.files.AssetsStorage"},
    "backups": {"BACKEND": "storage.files.BackupsStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Static files ----------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env_str("STATIC_ROOT", str(BASE_DIR / ".anyport" / "static")))

# --- E-mail ----------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env_str("DEFAULT_FROM_EMAIL", f"Anyport <orders@{_public_host}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Language, time, money -------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hant", _("Traditional Chinese")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "shop" / "locale"]
FORMAT_MODULE_PATH = "shop.formats"  # dates, where the house writes them its own way
TIME_ZONE = "UTC"
USE_TZ = True
SHOP_CURRENCIES = ["TWD", "JPY", "SGD", "USD"]
SHOP_DEFAULT_CURRENCY = "TWD"
# Where an invoice is paid to, as it is shown to the shopper.
SHOP_BANK_ACCOUNT = env_str(
    "SHOP_BANK_ACCOUNT", "Anyport Trading · Bank of the Three Harbours · 004-2210-7733"
)
# Who sells, as invoices print it: lines, the name first.
SHOP_SELLER = env_lines(
    "SHOP_SELLER",
    "Anyport Trading | 12 Harbour Road, 202 Keelung, Taiwan | Tax number 24867702",
    what="name | address | tax number",
)

# --- Jobs (§10) ------------------------------------------------------------------------------
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = ANYPORT_NAMESPACE
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker outlives any outage of Redis
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "master_name": REDIS_MASTER_NAME,
    "visibility_timeout": 600,
    "global_keyprefix": f"{ANYPORT_NAMESPACE}:celery:",
    "sentinel_kwargs": REDIS_SENTINEL_TIMEOUTS | {"retry": Retry(NoBackoff(), 0)},
    **REDIS_TIMEOUTS,
}
CELERY_TIMEZONE = "UTC"
# Beat runs in every region and keeps no file: jobs.scheduler claims each slot for all of them.
# An entry's name is the job's; its task gets `job`, `slot` and `attempt` (jobs.runs).
CELERY_BEAT_SCHEDULER = "jobs.scheduler:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "cancel-expired-orders": {
        "task": "orders.tasks.cancel_unpaid",
        "schedule": crontab(minute="*/5"),
    },
    "clean-up-orders": {"task": "orders.tasks.clean_up_orders", "schedule": crontab(minute=0)},
    "complete-payments": {"task": "orders.tasks.complete_payments", "schedule": crontab()},
    "relay-outbox": {"task": "orders.tasks.relay_outbox", "schedule": crontab()},
    "report-sales": {
        "task": "orders.tasks.report_sales",
        "schedule": crontab(minute=0, hour=2),
    },
    "sweep-sessions": {"task": "shop.tasks.sweep_sessions", "schedule": crontab(minute="*/5")},
}
# Our logging (below), to standard error: Celery would replace its handlers.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Drills (failover.drills) ------------------------------------------------------------------
# Who breaks things for them: dotted path of a class. Nobody, but on the embedded stack.
FAILOVER_FAULTS = ""

# --- Logging: to standard error, for whatever collects it ------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": f"%(asctime)s %(levelname)s {ANYPORT_REGION} %(name)s: %(message)s",
        }
    },
    "filters": {"outage": {"()": "shop.log.OutageInALine"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["outage"],
        }
    },
    "root": {"handlers": ["console"], "level": env_str("LOG_LEVEL", "INFO")},
    # They tell of each set of credentials found, each glyph left out, each request made.
    "loggers": {name: {"level": "WARNING"} for name in ("botocore", "fontTools", "stripe")},
}

DEBUG = env_bool("DEBUG", False)

# --- Statelessness audit: what it finds and we accept, each with its reason -------------------
ANYPORT_AUDIT_BASELINE = [BASE_DIR / "settings" / "audit.toml"]

# --- Admin (its looks: settings.admin) --------------------------------------------------------
# Unfold's Alpine compiles expressions, and its pages style single elements: they need more than
# the shop's pages, which keep the strict policy above. No script is inline all the same.
ADMIN_CSP = SECURE_CSP | {
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
    "frame-ancestors": [CSP.SELF],  # pop-ups that choose a related row
    "form-action": [CSP.SELF],
}
