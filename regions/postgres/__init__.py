"""Django's PostgreSQL backend, with a pool that notices a demoted server."""
