"""The executor's configuration: environment variables, read once, refused when malformed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

TOKEN_FILE = "/var/run/secrets/rl-arena-front/token"  # noqa: S105  (where one is, not what it is)
TOKEN = re.compile(r"[!-~]{32,512}")
ADDRESS = re.compile(r"(\S*):(\d{1,5})")


class ConfigError(Exception):
    """A variable has a value that cannot be used; says which."""


@dataclass(frozen=True)
class Config:
    listen: str
    token: str  # empty: anybody may call
    http_host: str
    http_port: int
    replay_dir: str
    replay_base_url: str
    replay_max_bytes: int
    replay_upload_url: str  # empty: replays stay here
    replay_token_file: str
    max_matches: int
    drain_seconds: int
    environments_file: str
    log_format: str
    log_level: str


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise ConfigError(f"{name}={text!r}: a number from {low} to {high} is needed")
    return value


def _choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = os.environ.get(name, "") or default
    if value not in allowed:
        raise ConfigError(f"{name}={value!r}: one of {', '.join(allowed)} is needed")
    return value


def _address(name: str, default: str) -> tuple[str, int]:
    text = os.environ.get(name, "") or default
    match = ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ConfigError(f"{name}={text!r}: host:port is needed")
    return match[1] or "0.0.0.0", int(match[2])


def _token(name: str) -> str:
    text = os.environ.get(name, "")
    if text and not TOKEN.fullmatch(text):
        raise ConfigError(f"{name}= holds something else (not shown): 32 to 512 printable characters without blanks")
    return text


def load() -> Config:
    grpc_host, grpc_port = _address("LISTEN", "0.0.0.0:50051")
    http_host, http_port = _address("HTTP_LISTEN", "0.0.0.0:8080")
    base = os.environ.get("REPLAY_BASE_URL", "") or "http://executor.rl-arena-system.svc:8080/replays"
    if not base.startswith(("http://", "https://")):
        raise ConfigError(f"REPLAY_BASE_URL={base!r}: an http or https URL is needed")
    upload = os.environ.get("REPLAY_UPLOAD_URL", "")
    if upload and not upload.startswith(("http://", "https://")):
        raise ConfigError(f"REPLAY_UPLOAD_URL={upload!r}: an http or https URL is needed")
    return Config(
        listen=f"{grpc_host}:{grpc_port}",
        token=_token("EXECUTOR_TOKEN"),
        http_host=http_host,
        http_port=http_port,
        replay_dir=os.environ.get("REPLAY_DIR", "") or "/replays",
        replay_base_url=base,
        replay_max_bytes=_number("REPLAY_MAX_BYTES", 1 << 30, 1 << 20, 1 << 50),
        replay_upload_url=upload,
        replay_token_file=os.environ.get("REPLAY_TOKEN_FILE", "") or TOKEN_FILE,
        max_matches=_number("MAX_CONCURRENT_MATCHES", 4, 1, 1000),
        drain_seconds=_number("DRAIN_SECONDS", 20, 0, 3600),
        environments_file=os.environ.get("ENVIRONMENTS_FILE", ""),
        log_format=_choice("LOG_FORMAT", "json", ("json", "text")),
        log_level=_choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
    )
