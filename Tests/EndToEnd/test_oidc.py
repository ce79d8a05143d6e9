"""Identity by tokens of an OpenID provider: unmodified clients show one in place of an API key."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from typing import Any, Callable, Iterator

import anthropic
import openai
import pytest
from identity import AUDIENCE, ISSUER, IdentityProvider, Signer
from suite import CHAT, Provider, Reply, Suite, prompt, until


def trusting(idp: IdentityProvider, **auth: Any) -> Callable[[dict[str, Any]], None]:
    """A configuration that trusts the provider."""

    def change(document: dict[str, Any]) -> None:
        document["edge"]["auth"] = {"mode": "oidc", "issuer": ISSUER, "audience": AUDIENCE, "jwks_destination": "idp"} | auth
        document["credentials"]["destinations"]["idp"] = {"base_url": idp.url, "private_network": True, "callers": ["edge"]}

    return change


class Stage:
    """A suite that trusts a provider, and all tokens that were shown to it."""

    def __init__(self, suite: Suite, idp: IdentityProvider) -> None:
        self.suite, self.idp = suite, idp
        self.shown: list[str] = []

    def token(self, *words: Any, **claims: Any) -> str:
        self.shown.append(self.idp.token(*words, **claims))
        return self.shown[-1]

    def chat(self, token: str, **more: Any) -> Reply:
        return self.suite.chat(key=token, **more)


@pytest.fixture(scope="module")
def running(provider: Provider) -> Iterator[Stage]:
    idp = IdentityProvider(Signer("first"), Signer("curve", "ES256"), Signer("edwards", "EdDSA"))
    suite = Suite(provider, trusting(idp))
    with contextlib.closing(idp), contextlib.closing(suite):
        suite.begin()
        suite.new_key(tenant="acme")
        yield Stage(suite, idp)


@pytest.fixture
def own(own_suite: Any) -> Iterator[Callable[..., Stage]]:
    """Makes suites that trust a provider of their own; they are not started."""
    providers: list[IdentityProvider] = []

    def make(**auth: Any) -> Stage:
        providers.append(IdentityProvider())
        return Stage(own_suite(trusting(providers[-1], **auth)), providers[-1])

    yield make
    for idp in providers:
        idp.close()


def refused(reply: Reply, status: int, code: str) -> Reply:
    assert (reply.status, reply.error["code"]) == (status, code), reply
    return reply


def test_unmodified_clients_use_a_token_as_their_key(running: Stage) -> None:
    with openai.OpenAI(base_url=f"{running.suite.url}/v1", api_key=running.token(), max_retries=0, timeout=10) as client:
        text = prompt("openai")
        assert client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": text}]).choices[0].message.content
        stream = client.chat.completions.create(model="assistant", messages=[{"role": "user", "content": prompt()}], stream=True)
        assert any(chunk.choices and chunk.choices[0].finish_reason for chunk in stream)
        assert client.models.list().data
        assert running.suite.provider.seen(text)
    with anthropic.Anthropic(base_url=running.suite.url, api_key=running.token(), max_retries=0, timeout=10) as client:
        assert client.messages.create(model="scribe", max_tokens=50, messages=[{"role": "user", "content": prompt()}]).content


@pytest.mark.parametrize("kid", ["first", "curve", "edwards"])
def test_every_kind_of_key_signs(running: Stage, kid: str) -> None:
    signer = next(one for one in running.idp.signers if one.kid == kid)
    assert running.chat(running.token(signer=signer)).status == 200


def test_the_provider_is_asked_once_and_not_for_each_token(running: Stage) -> None:
    assert running.chat(running.token()).status == 200
    before = running.idp.asked
    for number in range(20):
        assert running.chat(running.token(f"user-{number}")).status == 200
    assert running.idp.asked == before


def test_tenant_and_user_of_a_token_are_told_to_telemetry_and_charged(running: Stage) -> None:
    running.suite.new_key(tenant="metered")
    reply = running.chat(running.token("carol", "metered"))
    assert reply.status == 200
    span = until(lambda: running.suite.admin("telemetry", "trace", reply.headers["x-request-id"])["spans"], 8, "the span", every=0.1)[0]
    assert (span["tenant"], span["user"]) == ("metered", "carol"), span
    assert "oidc:" in json.dumps(span), span

    def spend() -> Any:
        listed = {one["tenant"]: one for one in running.suite.admin("session", "tenants", "list")}
        return listed["metered"]["spend"]

    assert until(lambda: spend() if spend()["requests"] else None, 8, "the tenant's spend")["inputTokens"] > 0


@pytest.mark.parametrize(
    "word,claims",
    [
        ("exp", {"exp": int(time.time()) - 120}), ("exp", {"exp": None}), ("nbf", {"nbf": int(time.time()) + 900}),
        ("iss", {"iss": "https://evil.example"}), ("aud", {"aud": "another"}), ("aud", {"aud": None}), ("sub", {"sub": None}),
        ("tenant", {"tenant": ""}),
    ],
)
def test_a_token_that_breaks_a_rule_is_refused_with_the_rule(running: Stage, word: str, claims: dict[str, Any]) -> None:
    token = running.token(**claims)
    reply = refused(running.chat(token), 401, "invalid_token")
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert word in reply.error["message"] and not any(part in reply.body.decode() for part in token.split("."))


def test_forged_tokens_are_refused(running: Stage) -> None:
    stranger = Signer("first")
    refused(running.chat(running.token(signer=stranger)), 401, "invalid_token")
    head, body, signature = running.token().split(".")
    refused(running.chat(f"{head}.{body}."), 401, "invalid_token")

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    unsigned = part({"alg": "none", "kid": "first"})
    refused(running.chat(f"{unsigned}.{body}."), 401, "invalid_token")
    public = json.dumps(running.idp.signers[0].jwk).encode()
    signed = f"{part({'alg': 'HS256', 'kid': 'first'})}.{body}"
    mac = base64.urlsafe_b64encode(hmac.new(public, signed.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
    refused(running.chat(f"{signed}.{mac}"), 401, "invalid_token")
    with openai.OpenAI(base_url=f"{running.suite.url}/v1", api_key=f"{head}.{body}.{signature[::-1]}", max_retries=0, timeout=10) as client:
        with pytest.raises(openai.AuthenticationError) as error:
            client.models.list()
        assert error.value.code == "invalid_token"


def test_keys_stand_beside_tokens(running: Stage) -> None:
    suite = running.suite
    admin = suite.new_key("--admin")["key"]
    assert suite.chat(key=admin).status == 200
    refused(suite.chat(key="bh_" + "x" * 43), 401, "invalid_api_key")
    missing = refused(suite.chat(key=None), 401, "missing_api_key")
    assert missing.headers["www-authenticate"] == "Bearer"
    message = refused(suite.chat(key="sk-something-else"), 401, "invalid_token").error["message"]
    assert "bh_" in message, "who shows another product's key is told what is expected"


def test_a_token_asserts_nobody_and_reads_no_destination(running: Stage) -> None:
    reply = running.chat(running.token("dave"), headers={"x-bulkhead-user": "victim"})
    span = until(lambda: running.suite.admin("telemetry", "trace", reply.headers["x-request-id"])["spans"], 8, "the span", every=0.1)[0]
    assert span["user"] == "dave"
    assert running.suite.request("GET", "/v1/proxy/idp/.well-known/jwks.json", key=running.token()).status == 403


def test_a_tenant_nobody_knows_is_refused_until_it_has_a_key(running: Stage) -> None:
    token = running.token(tenant="newcomer")
    assert "newcomer" in refused(running.chat(token), 403, "tenant_unknown").error["message"]
    running.suite.new_key(tenant="newcomer")
    assert running.chat(token).status == 200


def test_a_blocked_tenant_is_refused_with_its_tokens(running: Stage) -> None:
    running.suite.new_key(tenant="late")
    token = running.token(tenant="late")
    assert running.chat(token).status == 200
    running.suite.admin("session", "tenants", "block", "late")
    refused(running.chat(token), 403, "tenant_blocked")
    assert running.suite.request("GET", "/v1/models", key=token).status == 403
    running.suite.admin("session", "tenants", "unblock", "late")
    assert running.chat(token).status == 200


def test_an_idempotency_key_is_the_users_whichever_token_is_shown(running: Stage) -> None:
    text, mark = prompt("once"), {"idempotency-key": prompt("mark").replace(" ", "-")}
    body = running.suite.body("assistant", text)
    first = running.suite.request("POST", CHAT, body, running.token("erin"), mark)
    again = running.suite.request("POST", CHAT, body, running.token("erin", jti="2"), mark)
    assert first.status == again.status == 200 and again.headers["idempotent-replayed"] == "true" and first.body == again.body
    other = running.suite.request("POST", CHAT, body, running.token("frank"), mark)
    assert other.status == 200 and "idempotent-replayed" not in other.headers


def test_contract_and_metrics_tell_of_tokens(running: Stage) -> None:
    schemes = running.suite.request("GET", "/openapi.json", key=None).json["components"]["securitySchemes"]
    assert "JWT" in schemes["bearer"]["bearerFormat"]
    running.chat(running.token())
    page = running.suite.request("GET", "/metrics").body.decode()
    assert 'outcome="verified"' in page and "edge_tokens" in page


def test_no_token_is_ever_logged(running: Stage) -> None:
    token = running.token("gina", email="gina@example.org", exp=int(time.time()) - 999)
    refused(running.chat(token), 401, "invalid_token")
    log = running.suite.log()
    assert "gina@example.org" not in log
    for shown in running.shown:
        assert shown.split(".")[1] not in log and shown.split(".")[2] not in log


def test_scopes_and_models_of_a_token_hold(own: Callable[..., Stage]) -> None:
    stage = own(scopes_claim="scope", scopes={"llm": ["models"], "look": ["read"]}, models_claim="models", create_tenants=True)
    stage.suite.begin()
    assert stage.chat(stage.token(tenant="any", scope="openid llm", models=["assistant"])).status == 200, "tenants come with their tokens"
    refused(stage.chat(stage.token(scope="openid look", models=["assistant"])), 403, "scope_not_allowed")
    refused(stage.chat(stage.token(scope="openid", models=["assistant"])), 403, "scope_not_allowed")
    refused(stage.chat(stage.token(scope="llm", models=["scribe"])), 403, "model_not_allowed")
    refused(stage.chat(stage.token(scope="llm")), 401, "invalid_token")
    assert "any" in {one["tenant"] for one in until(lambda: stage.suite.admin("session", "tenants", "list"), 8, "a tenant that spent")}


def test_a_rotated_key_is_found_at_once_and_the_old_one_ends(own: Callable[..., Stage]) -> None:
    stage = own(tenant="acme")
    stage.suite.begin()
    old = stage.token()
    assert stage.chat(old).status == 200
    stage.idp.signers = [Signer("second")]
    assert stage.chat(stage.token()).status == 200
    asked = stage.idp.asked
    refused(stage.chat(old), 401, "invalid_token")
    for number in range(20):
        refused(stage.chat(stage.token(signer=Signer(f"unknown-{number}", "ES256"))), 401, "invalid_token")
    assert stage.idp.asked == asked, "a client's key ids are no reason to ask the provider over and over"


def test_a_provider_that_is_away_costs_nobody_anything_but_is_told(own: Callable[..., Stage]) -> None:
    stage = own(tenant="acme")
    stage.suite.begin()
    assert stage.chat(stage.token()).status == 200
    stage.idp.close()
    refused(stage.chat(stage.token(signer=Signer("unknown"))), 401, "invalid_token")
    told = until(lambda: stage.suite.ready() if stage.suite.ready()["status"] == "degraded" else None, 10, "the trouble to be told")
    assert told["degraded"] == ["edge"] and "24 h" in told["services"]["edge"]["reason"], told
    assert stage.chat(stage.token("someone-new")).status == 200
    stage.idp.open()
    stage.suite.cli("edge", "reload")
    stage.suite.wait_well()


def test_without_keys_of_the_provider_tokens_wait_and_api_keys_work(own: Callable[..., Stage]) -> None:
    stage = own(tenant="acme")
    stage.idp.close()
    suite = stage.suite.launch()
    until(lambda: suite.ready()["services"]["edge"]["reason"], 30, "edge to tell of it")
    for name, value in suite.secrets.items():
        until(lambda: suite.cli("credentials", "set", name, "--stdin", input=value + "\n").returncode == 0, 30, "the secrets to be stored")
    reply = refused(stage.chat(stage.token()), 503, "identity_unavailable")
    assert reply.headers["retry-after"] and reply.headers["x-should-retry"] == "true"
    until(lambda: suite.chat().status == 200, 20, "an API key to be served", every=0.2)
    assert suite.request("GET", "/ready", key=None).status == 200
    stage.idp.open()
    until(lambda: stage.chat(stage.token()).status == 200, 20, "tokens to be taken", every=0.2)
    suite.wait_well(30)


def test_a_file_of_keys_is_read_again_when_it_changes(own_suite: Any) -> None:
    with contextlib.closing(IdentityProvider()) as idp:
        suite: Suite = own_suite()
        path = suite.root / "jwks.json"
        path.write_bytes(idp.document)
        suite.document["edge"]["auth"] = {"mode": "oidc", "issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(path), "tenant": "acme"}
        suite.begin()
        old = idp.token()
        assert suite.chat(key=old).status == 200
        idp.signers = [Signer("next")]
        path.write_bytes(idp.document)
        assert suite.chat(key=idp.token()).status == 200, "a key id that is not known has the file read at once"
        until(lambda: suite.chat(key=old).status == 401, 10, "the end of the old key")
        path.write_text("{broken")
        until(lambda: "edge" in suite.ready()["degraded"], 10, "the broken file to be told", every=0.1)
        assert suite.chat(key=idp.token()).status == 200
        assert str(path) not in json.dumps(suite.ready()), "no path of this machine is shown to everybody"
        path.write_bytes(idp.document)
        suite.wait_well()


def test_while_session_is_away_known_bearers_are_served(own: Callable[..., Stage]) -> None:
    stage = own(tenant="acme")
    suite = stage.suite.begin()
    assert stage.chat(stage.token("known")).status == 200
    with suite.down("session"):
        reply = stage.chat(stage.token("known", jti="another"))
        assert reply.status == 200 and "session" in reply.degraded, "another token of somebody edge has seen lately"
        refused(stage.chat(stage.token("stranger")), 503, "session_unavailable")
        refused(stage.chat(stage.token("known", exp=int(time.time()) - 999)), 401, "invalid_token")
    suite.wait_well(20)


def test_limits_hold_a_user_over_all_its_tokens(own: Callable[..., Stage]) -> None:
    stage = own(tenant="acme")
    stage.suite.document["session"]["limits"]["per_user"]["rpm"] = 3
    stage.suite.begin()
    for number in range(3):
        assert stage.chat(stage.token("heidi", jti=str(number))).status == 200
    reply = refused(stage.chat(stage.token("heidi", jti="last")), 429, "rate_limit_exceeded")
    assert int(reply.headers["retry-after"]) > 0
    assert stage.chat(stage.token("ivan")).status == 200


@pytest.mark.parametrize("wrong,word", [({"jwks_destination": "ipd"}, "ipd"), ({"issuer": None}, "issuer"), ({"algorithms": ["HS256"]}, "HS256")])
def test_a_configuration_that_cannot_work_is_told_before_anything_starts(own: Callable[..., Stage], wrong: dict[str, Any], word: str) -> None:
    stage = own()
    auth = stage.suite.document["edge"]["auth"] | wrong
    stage.suite.document["edge"]["auth"] = {name: value for name, value in auth.items() if value is not None}
    stage.suite.write()
    done = stage.suite.cli("edge", "check")
    assert done.returncode != 0 and word in done.stdout + done.stderr, done


def test_keys_of_a_destination_that_is_not_for_edge_are_refused_at_start(own: Callable[..., Stage]) -> None:
    stage = own()
    stage.suite.document["credentials"]["destinations"]["idp"]["callers"] = ["router"]
    stage.suite.launch()
    until(lambda: "callers does not hold edge" in stage.suite.log(), 30, "the reason to be told")
