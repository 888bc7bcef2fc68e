"""The front door: Caddy, one address for all regions, any of which may serve any request."""

import shutil
import sys
from pathlib import Path

from regions.embedded.plan import Plan, write_atomically
from regions.embedded.ports import LOOPBACK, has_ipv6

_PAGE = Path(__file__).with_name("unavailable.html")

# A request is tried on the next region when it never reached one (or is a GET): a POST that was
# sent may have been served, and only the shopper's idempotency key makes sending it again safe.
_UPSTREAMS = """\
		reverse_proxy {upstreams} {{
			lb_policy round_robin
			lb_try_duration 2s
			lb_try_interval 100ms
			health_uri /health/ready
			health_interval 1s
			health_timeout 1s
			fail_duration 1s
			max_fails 1
			header_down -Via
			header_down -Server
			transport http {{
				dial_timeout 500ms
				{timeout}
				keepalive 30s
			}}
		}}
"""

_CADDYFILE = """\
{{
	admin off
	auto_https off
	persist_config off
	storage file_system "{storage}"
	log {{
		level WARN
	}}
	servers {{
		timeouts {{
			read_header 10s
			idle 2m
		}}
	}}
	grace_period 3s
}}

http://:{port} {{
	bind {addresses}
	header -Server
	header -Via

	# Only the names that `storage.files.asset_key` gives, and without a query. Anything else would
	# be read by S3 in its own way: a folder lists the bucket, and so does an encoded `?`.
	@asset {{
		method GET HEAD
		path_regexp asset {asset}
	}}
	handle @asset {{
		header {{
			match status 200 206 304
			Cache-Control "public, max-age=31536000, immutable"
			X-Content-Type-Options nosniff
		}}
{assets}
	}}
	handle /assets/* {{
		respond 404
	}}

	# For the operators' network, not for the shop's.
	handle /metrics* {{
		respond 404
	}}
	handle /health/deep* {{
		respond 404
	}}

	handle /ws/* {{
{ws}
	}}

	handle {{
		request_body {{
			max_size 10MB
		}}
		encode zstd gzip
{web}
	}}

	handle_errors {{
		header -Server
		header Cache-Control no-store
		# Always 503: whether a region refused, died or was slow, the advice is the same.
		@busy expression `{{err.status_code}} in [502, 503, 504]`
		handle @busy {{
			header Retry-After 5
			@api path /api/*
			handle @api {{
				header Content-Type application/problem+json
				respond `{problem}` 503
			}}
			handle {{
				root * "{pages}"
				rewrite * /{page}
				file_server {{
					status 503
				}}
			}}
		}}
		handle {{
			respond "{{err.status_code}} {{err.status_text}}" {{err.status_code}}
		}}
	}}
}}
"""


# Quoted for Caddy, which takes the braces of a bare word for the start of a block.
_ASSET = r"`^/assets/(sha256/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]+)$`"

_PROBLEM = (
    '{"type":"about:blank","title":"No region can answer now","status":503,'
    '"detail":"Send the same request again in 5 seconds, with the same Idempotency-Key."}'
)

# The bucket is private, and read as a CDN reads it, with credentials of its own (moto looks at
# the name of the key only).
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=anyport/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


def _assets(plan: Plan) -> str:
    """Files from the first region's bucket, or from the next one's when it is not there yet."""
    otherwise = "respond 404"
    for region in reversed(plan.regions):
        otherwise = "\n".join(
            [
                f"reverse_proxy {LOOPBACK}:{plan.ports['aws']} {{",
                f"rewrite /anyport-assets-{region}/{{re.asset.1}}?",
                "method GET",  # drops a body, which could be sent only once
                f'header_up Authorization "{_AUTHORIZATION}"',
                "header_up -Cookie",
                # Which service, bucket or part is meant is ours to say, not the visitor's.
                "header_up Host {upstream_hostport}",
                "header_up -X-Amz-*",
                "header_up -Content-*",
                "header_down -Via",
                "header_down -Server",
                f"@missing_{region} status 403 404",
                f"handle_response @missing_{region} {{",
                otherwise,
                "}",
                "}",
            ]
        )
    return otherwise


def caddyfile(plan: Plan) -> str:
    addresses = [LOOPBACK, *(["[::1]"] if has_ipv6() else [])]

    def upstreams(kind: str, timeout: str) -> str:
        return _UPSTREAMS.format(
            upstreams=" ".join(plan.addresses(kind).split(",")), timeout=timeout
        )

    return _CADDYFILE.format(
        storage=plan.state / "caddy",
        port=plan.ports["front"],
        addresses=" ".join(addresses),
        asset=_ASSET,
        assets=_assets(plan),
        ws=upstreams("ws", "response_header_timeout 5s"),
        web=upstreams("web", "response_header_timeout 15s"),
        problem=_PROBLEM,
        pages=_PAGE.parent,
        page=_PAGE.name,
    )


def prepare(plan: Plan) -> None:
    write_atomically(plan.run / "Caddyfile", caddyfile(plan))


def command() -> list[str]:
    """To be run in the state directory."""
    beside_python = Path(sys.executable).with_name("caddy")
    caddy = str(beside_python) if beside_python.exists() else shutil.which("caddy") or "caddy"
    return [caddy, "run", "--config", "run/Caddyfile", "--adapter", "caddyfile"]
