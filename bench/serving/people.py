"""Tokens of the seed's users, as the front gives them at a login (which would cost a password's hash for each)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid

from .servers import SECRET

LIFETIME = 24 * 3600


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(number: int) -> str:
    """Of the user `user-NUMBER`."""
    now = int(time.time())
    claims = {
        "userId": str(uuid.UUID(hashlib.md5(f"u{number}".encode()).hexdigest())),
        "username": f"user-{number}",
        "email": f"user-{number}@example.com",
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
    }
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    text = ".".join(packed(json.dumps(part).encode()) for part in parts)
    return f"{text}.{packed(hmac.digest(SECRET.encode(), text.encode(), 'sha256'))}"
