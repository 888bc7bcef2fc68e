"""PostgreSQL (DESIGN.md §5): the writer, wherever it is, and who shows the catalogue."""

from settings.env import env_hosts, env_int, env_str

# libpq tries the hosts in turn and keeps the one that accepts writes, so a promotion needs
# no configuration change. A pooled connection is asked for its role before each use: after
# a promotion `SELECT 1` still succeeds on the demoted server.
DATABASE_HOSTS = env_hosts("DATABASE_HOSTS")
DATABASE_LOCAL_HOST = env_hosts("DATABASE_LOCAL_HOST", DATABASE_HOSTS[:1])[0]
_replica_hosts = [
    DATABASE_LOCAL_HOST,
    *(host for host in DATABASE_HOSTS if host != DATABASE_LOCAL_HOST),
]
_database = {
    "ENGINE": "regions.postgres",
    "NAME": env_str("DATABASE_NAME", "anyport"),
    "USER": env_str("DATABASE_USER", "anyport"),
    "PASSWORD": env_str("DATABASE_PASSWORD", what="the database password"),
    "CONN_HEALTH_CHECKS": True,
}
_libpq = {
    "connect_timeout": 2,  # seconds a host; libpq takes nothing below 2
    "tcp_user_timeout": 2000,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "application_name": f"anyport-{env_str('ANYPORT_REGION', what='a region')}",
}
# Seconds for a statement; 0 for none, as a long migration may need.
_statement_timeout = env_int("DATABASE_STATEMENT_TIMEOUT", 8)
# Seconds until the client stops waiting, also for a COMMIT that no standby confirms.
DATABASE_ANSWER_TIMEOUT = _statement_timeout and _statement_timeout + 2
# Seconds for a page of the catalogue from one server; then another one is asked.
_BROWSING_LIMIT = 3
_timeouts = (
    f"-c statement_timeout={_statement_timeout}s -c lock_timeout=4s"
    " -c idle_in_transaction_session_timeout=15s"
)
_pool = {
    "min_size": env_int("DATABASE_POOL_MIN", 0),
    "max_size": env_int("DATABASE_POOL_MAX", 8),
    "timeout": 2.5,  # regions.postgres.writer has its own
    "max_idle": 120,
    "max_lifetime": 1800,
    "reconnect_timeout": 0.25,
    "num_workers": 1,
}
DATABASES = {
    "default": _database
    | {
        "HOST": ",".join(host for host, _ in DATABASE_HOSTS),
        "PORT": ",".join(str(port) for _, port in DATABASE_HOSTS),
        "OPTIONS": _libpq
        | {
            "target_session_attrs": "read-write",
            "options": _timeouts,
            "pool": _pool,
        },
    },
    "replica": _database
    | {
        "HOST": ",".join(host for host, _ in _replica_hosts),
        "PORT": ",".join(str(port) for _, port in _replica_hosts),
        "OPTIONS": _libpq
        | {
            "target_session_attrs": "any",
            # Of two settings of one name the later holds.
            "options": f"{_timeouts} -c default_transaction_read_only=on"
            f" -c statement_timeout={_BROWSING_LIMIT}s",
            # Back to the region's own standby before long, where that was silent for a moment.
            "pool": _pool | {"max_lifetime": 300},
        },
        "ANSWER_TIMEOUT": _BROWSING_LIMIT,
        "TEST": {"MIRROR": "default"},
    },
}
DATABASE_ROUTERS = ["regions.routing.ReplicaRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
