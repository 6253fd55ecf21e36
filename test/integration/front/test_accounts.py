"""Accounts: registering, signing in, tokens, passwords; and what must not get in."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import hmac
import json
import time
from typing import Any

import psycopg
import pytest

from .server import SECRET, ApiServer, Client, seen


def words(answer: Any) -> str:
    """The sentence for a person; every error has one."""
    body = answer.json()
    assert set(body) == {"error", "message"}, body
    assert body["error"] and body["message"]
    return str(body["message"])


def refused(answer: Any, status: int, *parts: str) -> None:
    assert answer.status_code == status, answer.text
    message = words(answer)
    for part in parts:
        assert part in message, message


# ---- register ----


def test_a_new_user_is_signed_in(server: ApiServer) -> None:
    body = {"username": "Alice_B-2", "email": "Alice@Example.com", "password": "correct horse", "fullName": "Alice Ä."}
    answer = server.client().post("/auth/register", body)
    assert answer.status_code == 201, answer.text
    user = answer.json()["user"]
    assert user["username"] == "alice_b-2" and user["email"] == "Alice@Example.com" and user["fullName"] == "Alice Ä."
    assert user["avatarUrl"] is None
    assert "password" not in answer.text and "scrypt" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    me = server.client(answer.json()["token"]).get("/users/me")
    assert me.status_code == 200 and me.json()["user"]["id"] == user["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "a" * 51),
        ("username", "-abc"),
        ("username", "abc-"),
        ("username", "a b c"),
        ("username", "älice"),
        ("username", "ali\u200bce"),
        ("username", "ali/ce"),
        ("username", "a'; DROP TABLE users; --"),
        ("username", None),
        ("username", 7),
        ("username", ["alice"]),
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "a b@example.com"),
        ("email", "x" * 250 + "@example.com"),
        ("email", None),
        ("password", "short"),
        ("password", "x" * 257),
        ("password", None),
        ("password", 12345678),
        ("fullName", "x" * 201),
        ("fullName", "a\u202eb"),
        ("fullName", "a\nb"),
        ("fullName", {"a": 1}),
    ],
)
def test_what_cannot_be_is_refused_by_name(server: ApiServer, field: str, value: Any) -> None:
    body = {"username": "fine-name", "email": "fine@example.com", "password": "correct horse", field: value}
    refused(server.client().post("/auth/register", body), 400, field)


@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_what_is_missing_is_named(server: ApiServer, field: str) -> None:
    body = {"username": "fine-name", "email": "fine@example.com", "password": "correct horse"}
    del body[field]
    refused(server.client().post("/auth/register", body), 400, field)


def test_names_and_addresses_are_taken_once(server: ApiServer) -> None:
    one = server.register()
    taken = {"username": one.name.upper(), "email": "another@example.com", "password": "correct horse"}
    refused(server.client().post("/auth/register", taken), 409, one.name)
    taken = {"username": "another-name", "email": f"{one.name}@EXAMPLE.com", "password": "correct horse"}
    refused(server.client().post("/auth/register", taken), 409, "e-mail")


def test_of_many_at_once_one_gets_the_name(servers: list[ApiServer]) -> None:
    def register(number: int) -> int:
        body = {"username": "wanted", "email": f"wanted-{number}@example.com", "password": "correct horse"}
        return int(servers[number % 2].client().post("/auth/register", body).status_code)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(register, range(8)))
    assert codes == [201] + [409] * 7


def test_owners_of_agents_made_by_kubectl_are_not_to_be_had(server: ApiServer) -> None:
    assert server.namespace
    server.namespace.agent("from-gitops", "Team-X")
    anyone = server.client()
    seen("the agent is mirrored", lambda: "team-x" in anyone.get("/agents").text.lower())
    body = {"username": "team-x", "email": "team-x@example.com", "password": "correct horse"}
    refused(anyone.post("/auth/register", body), 409, "taken")


# ---- login ----


def login(server: ApiServer, **body: Any) -> Any:
    return server.client().post("/auth/login", body)


def test_login_by_address_or_name_in_either_field(server: ApiServer) -> None:
    one = server.register()
    address = f"{one.name}@example.com"
    for body in (
        {"email": address},
        {"email": address.upper()},
        {"email": one.name},
        {"username": one.name.upper()},
        {"username": address},
    ):
        answer = login(server, **body, password="correct horse")
        assert answer.status_code == 200, (body, answer.text)
        assert answer.json()["user"] == one.user
        assert server.client(answer.json()["token"]).get("/users/me").status_code == 200


def test_wrong_and_unknown_get_the_same_answer_for_the_same_work(server: ApiServer) -> None:
    one = server.register()
    before = server.metric("rl_arena_password_hashes_total")
    wrong = login(server, email=one.name, password="battery staple")
    after_wrong = server.metric("rl_arena_password_hashes_total")
    unknown = login(server, email="nobody-at-all", password="battery staple")
    after_unknown = server.metric("rl_arena_password_hashes_total")
    refused(wrong, 401)
    assert wrong.json() == unknown.json() and wrong.status_code == unknown.status_code
    assert after_wrong - before == 1 and after_unknown - after_wrong == 1
    ignored = {"Date", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id"}
    assert {k: v for k, v in wrong.headers.items() if k not in ignored} == {
        k: v for k, v in unknown.headers.items() if k not in ignored
    }


@pytest.mark.parametrize("password", ["", " correct horse", "correct horse ", "CORRECT HORSE", "correct"])
def test_another_password_is_another(server: ApiServer, password: str) -> None:
    one = server.register()
    assert login(server, email=one.name, password=password).status_code in (400, 401)


def test_a_password_is_taken_as_it_is(server: ApiServer) -> None:
    for secret in (
        "  blanks at both ends  ",
        "пароль-и-ключ",
        "🤖" * 64,
        "'; DROP TABLE users; --",
        "\\u0000\\u0001",
        '"' * 8,
    ):
        one = server.register(password=secret)
        assert login(server, email=one.name, password=secret).status_code == 200, secret


@pytest.mark.parametrize(
    "body", [{}, {"password": "x"}, {"email": "a"}, {"email": 1, "password": "x"}, [], "x", None, 7]
)
def test_login_without_what_it_needs(server: ApiServer, body: Any) -> None:
    answer = server.client().request(
        "POST", "/auth/login", data=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    refused(answer, 400)


# ---- tokens ----


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def token(
    claims: dict[str, Any], header: dict[str, Any] | None = None, secret: str = SECRET, method: str = "sha256"
) -> str:
    head = encode(json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode())
    signed = f"{head}.{encode(json.dumps(claims).encode())}"
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), method).digest())}"


def claims_of(client: Client) -> dict[str, Any]:
    assert client.token
    part = client.token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def test_a_token_says_who_and_how_long(server: ApiServer) -> None:
    one = server.register()
    claims = claims_of(one)
    assert set(claims) == {"userId", "username", "email", "iat", "nbf", "exp"}
    assert claims["userId"] == one.user["id"] and claims["username"] == one.name
    assert claims["exp"] - claims["iat"] == 24 * 3600 and claims["nbf"] <= time.time() + 1
    assert one.token
    head = json.loads(base64.urlsafe_b64decode(one.token.split(".")[0] + "=="))
    assert head["alg"] == "HS256"
    # Made elsewhere with the secret, in another order: as good.
    assert server.client(token(claims)).get("/users/me").status_code == 200


def bad_tokens(claims: dict[str, Any], good: str) -> dict[str, str]:
    head, body, mark = good.split(".")
    none = encode(b'{"alg":"none","typ":"JWT"}')
    now = int(time.time())
    other = {**claims, "userId": "00000000-0000-4000-8000-000000000000"}
    return {
        "empty": "",
        "no token": "nonsense",
        "none": f"{none}.{body}.",
        "none with a signature": f"{none}.{body}.{mark}",
        "None": encode(b'{"alg":"None"}') + f".{body}.",
        "lower case": token(claims, {"alg": "hs256"}),
        "HS384": token(claims, {"alg": "HS384"}, method="sha384"),
        "HS512": token(claims, {"alg": "HS512"}, method="sha512"),
        "HS256 said, HS512 done": token(claims, method="sha512"),
        "RS256": token(claims, {"alg": "RS256"}),
        "no alg": token(claims, {"typ": "JWT"}),
        "signature cut": f"{head}.{body}.{mark[:-1]}",
        "signature gone": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{mark}",
        "another's claims": f"{head}.{encode(json.dumps(other).encode())}.{mark}",
        "another secret": token(claims, secret="x" * 40),
        "no secret": token(claims, secret=""),
        "expired": token({**claims, "iat": now - 90000, "nbf": now - 90000, "exp": now - 3600}),
        "not yet": token({**claims, "iat": now + 3600, "nbf": now + 3600, "exp": now + 7200}),
        "for years": token({**claims, "exp": now + 10**8}),
        "without exp": token({k: v for k, v in claims.items() if k != "exp"}),
        "exp a text": token({**claims, "exp": str(claims["exp"])}),
        "without iat": token({k: v for k, v in claims.items() if k != "iat"}),
        "nobody": token(other),
        "user no uuid": token({**claims, "userId": "1 OR 1=1"}),
        "user a list": token({**claims, "userId": [claims["userId"]]}),
        "endless": good + "A" * 3000,
    }


def test_no_other_token_gets_in(server: ApiServer) -> None:
    one = server.register()
    assert one.token
    for name, bad in bad_tokens(claims_of(one), one.token).items():
        answer = server.client(bad).get("/users/me")
        assert answer.status_code == 401, (name, answer.text)
        assert "Traceback" not in words(answer) and SECRET not in answer.text, name
    for header in ("", "Bearer", "Basic " + one.token, one.token, "Bearer " + one.token + " x", "bearer"):
        answer = server.client().request("GET", "/users/me", headers={"Authorization": header})
        assert answer.status_code == 401, header
    refused(server.client().get("/users/me"), 401)
    assert one.get("/users/me").status_code == 200


def test_refresh_gives_another_good_token(server: ApiServer) -> None:
    one = server.register()
    answer = one.post("/auth/refresh")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"] == one.user
    assert server.client(answer.json()["token"]).get("/users/me").status_code == 200
    refused(server.client().post("/auth/refresh"), 401)


# ---- another password ----


def test_another_password_ends_what_was_before_on_every_replica(servers: list[ApiServer]) -> None:
    first, second = servers
    one = first.register()
    there = second.again(one)
    assert there.get("/users/me").status_code == 200  # known there now
    answer = one.post("/auth/password", {"oldPassword": "correct horse", "newPassword": "battery staple"})
    assert answer.status_code == 200, answer.text
    refused(one.get("/users/me"), 401, "password")
    seen("the other replica has heard of it", lambda: there.get("/users/me").status_code == 401, 20)
    fresh = answer.json()["token"]
    assert first.client(fresh).get("/users/me").status_code == 200
    assert second.client(fresh).get("/users/me").status_code == 200
    assert login(second, email=one.name, password="correct horse").status_code == 401
    assert login(second, email=one.name, password="battery staple").status_code == 200


def test_the_old_password_is_needed(server: ApiServer) -> None:
    one = server.register()
    body = {"oldPassword": "wrong", "newPassword": "battery staple"}
    refused(one.post("/auth/password", body), 401, "oldPassword")
    refused(one.post("/auth/password", {"newPassword": "battery staple"}), 400, "oldPassword")
    refused(one.post("/auth/password", {"oldPassword": "correct horse"}), 400, "newPassword")
    refused(one.post("/auth/password", {"oldPassword": "correct horse", "newPassword": "short"}), 400, "newPassword")
    refused(server.client().post("/auth/password", body), 401)
    assert one.get("/users/me").status_code == 200


def test_of_many_changes_at_once_one_counts(server: ApiServer) -> None:
    one = server.register()

    def change(number: int) -> tuple[int, str]:
        secret = f"battery staple {number}"
        body = {"oldPassword": "correct horse", "newPassword": secret}
        return int(server.again(one).post("/auth/password", body).status_code), secret

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(change, range(4)))
    won = [secret for code, secret in done if code == 200]
    assert len(won) == 1 and all(code in (200, 401, 409) for code, _ in done), done
    assert login(server, email=one.name, password=won[0]).status_code == 200


# ---- profile ----


def test_a_profile_keeps_what_is_not_given(server: ApiServer) -> None:
    one = server.register(fullName="First")
    answer = one.put("/users/me", {"avatarUrl": "https://example.com/a.png"})
    assert answer.status_code == 200 and answer.json()["user"]["fullName"] == "First"
    answer = one.put("/users/me", {"fullName": "Sécond 🤖"})
    user = answer.json()["user"]
    assert user["fullName"] == "Sécond 🤖" and user["avatarUrl"] == "https://example.com/a.png"
    assert one.get("/users/me").json()["user"] == user
    assert one.put("/users/me", {}).json()["user"]["fullName"] == "Sécond 🤖"
    assert one.put("/users/me", {"fullName": None, "avatarUrl": ""}).json()["user"] | {"updatedAt": 0} == user | {
        "fullName": None,
        "avatarUrl": None,
        "updatedAt": 0,
    }


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//example.com", "x", "https://", "http://a b/"]
)
def test_a_picture_is_a_link(server: ApiServer, link: str) -> None:
    refused(server.register().put("/users/me", {"avatarUrl": link}), 400, "avatarUrl")


def test_me_of_somebody_new(server: ApiServer) -> None:
    one = server.register()
    me = one.get("/users/me").json()
    assert me["username"] == one.name and me["email"] == f"{one.name}@example.com"
    assert me["stats"] == {
        "totalSubmissions": 0,
        "activeAgents": 0,
        "totalMatches": 0,
        "totalWins": 0,
        "bestRank": None,
    }
    assert me["recentAgents"] == [] and me["matchHistory"] == []
    assert set(me["user"]) == {"id", "username", "email", "fullName", "avatarUrl", "createdAt", "updatedAt"}


def unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def test_secrets_stay_out_of_logs_and_tables(server: ApiServer) -> None:
    secret = "a-password-nobody-may-see"
    one = server.register(password=secret)
    login(server, email=one.name, password=secret + "x")
    one.post("/auth/password", {"oldPassword": secret, "newPassword": secret + "y"})
    log = server.words(10**7)
    assert secret not in log and SECRET not in log and one.token and one.token not in log
    with psycopg.connect(server.database) as connection:
        row = connection.execute("SELECT password_hash FROM users WHERE username = %s", (one.name,)).fetchone()
    assert row and row[0].startswith("$scrypt$ln=15,r=8,p=3$") and secret not in row[0]
    _, kind, cost, salt, key = row[0].split("$")
    again = hashlib.scrypt((secret + "y").encode(), salt=unpadded(salt), n=2**15, r=8, p=3, dklen=32, maxmem=2**26)
    assert kind == "scrypt" and cost and again == unpadded(key)
