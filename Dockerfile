# syntax=docker/dockerfile:1
# One image for every role: web, ws, worker, beat. It holds neither the embedded stack nor tests.

FROM ghcr.io/astral-sh/uv:python3.13-bookworm-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY pyproject.toml uv.lock .python-version ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-default-groups
COPY . .
# Hashed static files belong to the image. The command reads no store and no secret, but settings
# ask for every variable, so it runs with the values that checks use.
RUN set -a && . ./tests/production.env && set +a \
    && STATIC_ROOT=/app/static .venv/bin/python manage.py collectstatic --noinput \
    && rm -r tests

FROM python:3.13-slim-bookworm
# What `manage.py failover status` calls this image: --build-arg ANYPORT_VERSION=$(git describe)
ARG ANYPORT_VERSION=
ENV ANYPORT_VERSION=$ANYPORT_VERSION
RUN useradd --system --uid 10001 --no-create-home anyport
COPY --from=build --chown=root:root /app /app
WORKDIR /app
USER 10001
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=settings.production STATIC_ROOT=/app/static
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s CMD ["python", "-m", "regions.probe"]
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--blocking-threads", "8", "--respawn-failed-workers", "settings.wsgi:application"]
