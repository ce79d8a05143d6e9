"""The command line of every service: verbs, exit codes, JSON."""

import json
import re

import pytest
import yaml

from suite import SERVICES, Suite, prompt, until

EVERY = pytest.mark.parametrize("service", SERVICES)
READING = (["status"], ["health"], ["links"], ["breakers", "list"], ["config", "--effective"], ["version"])


@EVERY
def test_reading_verbs_succeed_in_both_forms(steady: Suite, service: str) -> None:
    for verb in READING:
        assert isinstance(steady.admin(service, *verb), (dict, list)), verb
        plain = steady.cli(service, *verb)
        assert plain.returncode == 0 and plain.stdout.strip() and not plain.stderr, (verb, plain.stderr)


@EVERY
def test_status_tells_who_serves(steady: Suite, service: str) -> None:
    status = steady.admin(service, "status")
    assert status["service"] == service and status["state"] == "ready" and status["pid"] == steady.pids()[service]
    assert status["uptimeSeconds"] > 0 and status["server"]["connections"] >= 0


@pytest.mark.parametrize(("words", "option"), [(["session", "idempotency", "list"], "--limit"), (["credentials", "audit", "tail"], "--count")])
@pytest.mark.parametrize("number", ["0", "-1", "1000000000"])
def test_a_number_of_rows_out_of_range_is_a_usage_error(steady: Suite, words: list[str], option: str, number: str) -> None:
    done = steady.cli(*words, option, number)
    assert done.returncode == 64 and not done.stdout, done
    assert f"{option} is {number}; expected a whole number from 1 to" in done.stderr, done


@EVERY
def test_links_name_every_declared_peer(steady: Suite, service: str) -> None:
    links = steady.links(service)
    wanted = {
        "edge": set(SERVICES) - {"edge"}, "router": {"credentials", "retrieval", "telemetry"}, "retrieval": {"credentials", "telemetry"},
        "session": {"telemetry"}, "credentials": {"telemetry"}, "telemetry": {"credentials"},
    }[service]
    assert wanted <= set(links)
    for peer, link in links.items():
        assert link["state"] == "ready" and link["breaker"] == "closed", link
        assert link["peerPID"] == steady.pids()[peer]


@EVERY
def test_help_shows_an_example_of_every_verb(steady: Suite, service: str) -> None:
    overview = steady.run(f"bulkhead-{service}", "--help")
    assert overview.returncode == 0
    verbs = re.findall(r"^  ([a-z][a-z-]+) ", overview.stdout.split("SUBCOMMANDS:")[1], re.M)
    assert {"serve", "check", "status", "health", "links", "breakers", "config", "reload", "log-level", "drain", "version"} <= set(verbs)
    for verb in set(verbs) - {"help"}:
        told = steady.run(f"bulkhead-{service}", verb, "--help")
        assert told.returncode == 0 and f"bulkhead-{service} {verb}" in told.stdout, verb
        assert re.search("(?i)example", told.stdout) or "SUBCOMMANDS" in told.stdout, f"{verb} --help shows no example"


@EVERY
@pytest.mark.parametrize("words", [["no-such-verb"], ["status", "--no-such-option"], ["log-level"], ["status", "surplus"]])
def test_usage_errors_exit_64(steady: Suite, service: str, words: list[str]) -> None:
    done = steady.run(f"bulkhead-{service}", *words)
    assert done.returncode == 64 and done.stderr and not done.stdout, done


@EVERY
def test_a_service_that_does_not_run_exits_69(steady: Suite, service: str) -> None:
    elsewhere = steady.root / "elsewhere.yaml"
    elsewhere.write_text(steady.config.read_text().replace(f"{steady.root}/r", f"{steady.root}/nowhere"))
    done = steady.run(f"bulkhead-{service}", "status", "--json", "--config", str(elsewhere))
    assert done.returncode == 69 and "not running" in done.stderr and not done.stdout
    assert steady.run(f"bulkhead-{service}", "health", "--config", str(elsewhere)).returncode in (1, 69)


@EVERY
def test_a_second_instance_exits_75_and_harms_nothing(steady: Suite, service: str) -> None:
    done = steady.cli(service, "serve", seconds=10)
    assert done.returncode == 75 and "already running" in done.stderr, done
    assert steady.cli(service, "health").returncode == 0
    assert steady.chat().status == 200


@EVERY
def test_a_configuration_with_problems_exits_78_and_lists_them_all(steady: Suite, service: str) -> None:
    bad = steady.root / "bad.yaml"
    bad.write_text(f"suite:\n  enviroment: dev\n  log_level: loud\n{service}:\n  no_such_key: 1\n")
    for verb in ("check", "serve"):
        done = steady.run(f"bulkhead-{service}", verb, "--config", str(bad))
        said = done.stdout + done.stderr
        assert done.returncode == 78, said
        for place, word in (("bad.yaml:2:", "environment"), ("bad.yaml:3:", "loud"), ("bad.yaml:5:", "no_such_key")):
            assert any(place in line and word in line for line in said.splitlines()), (place, said)
    report = json.loads(steady.run(f"bulkhead-{service}", "check", "--json", "--config", str(bad)).stdout)
    assert [problem["line"] for problem in report["problems"]] == [2, 3, 5]
    for problem in report["problems"]:
        assert {"file", "line", "column", "key", "found", "expected", "suggestion"} == set(problem)
    missing = steady.run(f"bulkhead-{service}", "check", "--config", str(steady.root / "missing.yaml"))
    assert missing.returncode == 78 and "missing.yaml" in missing.stdout + missing.stderr


def test_destinations_the_file_does_not_have_are_told_by_every_check(steady: Suite) -> None:
    good = steady.config.read_text()
    document = yaml.safe_load(good)
    document["router"]["providers"] += [{"name": name, "destination": f"no-{name}", "dialect": "openai"} for name in ("lost", "gone")]
    bad = steady.root / "nowhere.yaml"
    bad.write_text(yaml.safe_dump(document))
    places = {index: f"nowhere.yaml:{index}:" for index, line in enumerate(bad.read_text().splitlines(), 1) if "no-lost" in line or "no-gone" in line}
    assert len(places) == 2
    for program, verb, code in (("bulkhead-router", "check", 78), ("bulkhead", "doctor", 1), ("bulkhead", "up", 78)):
        done = steady.run(program, verb, "--config", str(bad))
        said = done.stdout + done.stderr
        assert done.returncode == code and all(place in said for place in places.values()), said
        assert "no-lost" in said and "no-gone" in said and "credentials.destinations" in said and "oai" in said, said
    try:
        steady.config.write_text(bad.read_text())
        done = steady.cli("router", "reload", "--json")
        told = json.loads(done.stdout)
        assert done.returncode == 78 and told["reloaded"] is False and "no-gone" in json.dumps(told["problems"])
    finally:
        steady.config.write_text(good)


@EVERY
def test_log_level_changes_while_it_runs(steady: Suite, service: str) -> None:
    assert steady.admin(service, "log-level", "debug") == {"level": "debug"}
    assert steady.admin(service, "log-level", "info") == {"level": "info"}
    odd = steady.cli(service, "log-level", "loud")
    assert odd.returncode == 1 and "loud" in odd.stderr and "info" in odd.stderr and not odd.stdout


@EVERY
def test_reload_is_all_or_nothing(steady: Suite, service: str) -> None:
    assert steady.admin(service, "reload")["reloaded"] is True
    good = steady.config.read_text()
    try:
        bad = yaml.safe_load(good)
        bad.setdefault(service, {})["no_such_key"] = 1
        steady.config.write_text(yaml.safe_dump(bad))
        done = steady.cli(service, "reload", "--json")
        assert done.returncode == 78 and json.loads(done.stdout)["reloaded"] is False
        assert "no_such_key" in json.dumps(json.loads(done.stdout)["problems"])
        steady.config.write_text("suite: [")
        done = steady.cli(service, "reload")
        assert done.returncode == 78 and steady.config.name in done.stdout + done.stderr
    finally:
        steady.config.write_text(good)
    assert steady.chat().status == 200


def test_effective_configuration_names_sources(steady: Suite) -> None:
    values = {entry["key"]: entry for entry in steady.admin("edge", "config", "--effective")}
    assert values["edge.max_json"]["value"] and "file" in values["edge.max_json"]["source"]
    assert "default" in json.dumps(values["suite.log_level"]["source"])


def test_a_breaker_can_be_forced(steady: Suite) -> None:
    try:
        assert steady.admin("edge", "breakers", "open", "router")["state"] == "forced-open"
        reply = steady.chat()
        assert reply.status == 503 and reply.error["code"], reply
        assert steady.admin("edge", "breakers", "close", "router")["state"] == "forced-closed"
        assert steady.chat().status == 200
    finally:
        steady.admin("edge", "breakers", "auto", "router")
    assert steady.links("edge")["router"]["breaker"] in ("closed", "half-open")
    until(lambda: steady.chat().status == 200, 5, "an answer again")
    wrong = steady.cli("edge", "breakers", "open", "nobody")
    assert wrong.returncode == 1 and "router" in wrong.stderr, "the names there are"


def test_drain_lets_the_supervisor_start_a_new_one(own_suite) -> None:
    suite = own_suite().begin()
    old = suite.pids()["retrieval"]
    assert suite.cli("retrieval", "drain").returncode == 0
    suite.wait_restarted("retrieval", old)
    suite.wait_well(10)


def test_the_suites_own_verbs(steady: Suite) -> None:
    for verb in ("status", "links", "doctor"):
        done = steady.run("bulkhead", verb, "--json", "--config", str(steady.config))
        assert done.returncode == 0, done.stderr
        told = json.dumps(json.loads(done.stdout))
        assert all(service in told for service in SERVICES), verb
    services = json.loads(steady.run("bulkhead", "status", "--json", "--config", str(steady.config)).stdout)["services"]
    assert {name: entry["pid"] for name, entry in services.items()} == {name: steady.pids()[name] for name in SERVICES}
    assert steady.run("bulkhead", "no-such-verb").returncode == 64


def test_keys_from_birth_to_revocation(steady: Suite) -> None:
    made = steady.new_key("--user", "ada", "--rpm", "500", tenant="keys")
    assert steady.chat(key=made["key"]).status == 200
    listed = json.dumps(steady.admin("session", "keys", "list"))
    assert made["id"] in listed and made["key"] not in listed, "a key is told once"
    shown = json.dumps(steady.admin("session", "keys", "show", made["id"]))
    assert "ada" in shown and "keys" in shown and made["key"] not in shown
    rotated = steady.admin("session", "keys", "rotate", made["id"])
    assert rotated["key"] != made["key"] and steady.chat(key=rotated["key"]).status == 200
    until(lambda: steady.chat(key=made["key"]).status == 401, 3, "the old key to be refused")
    steady.admin("session", "keys", "revoke", rotated["id"])
    assert steady.chat(key=rotated["key"]).status == 401, "at once"
    assert steady.cli("session", "keys", "revoke", "no-such-id").returncode == 1


def test_a_key_may_be_for_some_models_only(steady: Suite) -> None:
    key = steady.new_key("--models", "scribe")["key"]
    assert steady.chat("scribe", key=key).status == 200
    assert steady.chat("assistant", key=key).status == 403


def test_keys_that_expire(steady: Suite) -> None:
    key = steady.new_key("--expires", "1s")["key"]
    until(lambda: steady.chat(key=key).status == 401, 5, "401 after a second", every=0.1)


def test_the_router_explains(steady: Suite) -> None:
    told = json.dumps(steady.admin("router", "explain", "--model", "pair"))
    assert "demo-fail-500" in told and "demo-second" in told and "429" in told
    assert "assistant" in json.dumps(steady.admin("router", "models"))
    assert "oai" in json.dumps(steady.admin("router", "providers"))
    text = prompt()
    steady.chat(text=text)
    assert steady.admin("router", "cache", "stats")
    steady.admin("router", "cache", "purge")
    assert steady.chat(text=text).headers["x-bulkhead-cache"] == "miss"


def test_the_edge_lists_its_routes(steady: Suite) -> None:
    told = json.dumps(steady.admin("edge", "routes"))
    assert all(path in told for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1/models", "/ready"))


def test_the_contract_says_the_same_routes_to_everybody(steady: Suite) -> None:
    reply = steady.request("GET", "/openapi.json", key=None)
    assert reply.status == 200 and reply.json["openapi"].startswith("3.1")
    listed = {row["path"]: {name.lower() for name in row["methods"].split(", ")} for row in steady.admin("edge", "routes")}
    assert {path: set(item) - {"parameters"} for path, item in reply.json["paths"].items()} == listed
    for path, item in reply.json["paths"].items():
        if "get" in item and "{" not in path:
            assert steady.request("GET", path).status == 200, path


def test_secrets_are_listed_without_their_values(steady: Suite) -> None:
    listed = steady.cli("credentials", "list", "--json")
    told = json.dumps(json.loads(listed.stdout))
    assert "OAI_KEY" in told and "ANT_KEY" in told
    assert not [value for value in steady.secrets.values() if value in told + listed.stderr]
    refused = steady.run("bulkhead-credentials", "set", "X_KEY", "a-value-on-the-command-line", "--config", str(steady.config))
    assert refused.returncode == 64, "a value is never an argument"
    assert steady.cli("credentials", "audit", "verify").returncode == 0
    assert steady.cli("credentials", "test", "OAI_KEY").returncode == 0


def test_telemetry_counts_what_was_asked(steady: Suite) -> None:
    before = requests(steady)
    for _ in range(3):
        assert steady.chat().status == 200
    last = steady.chat("no-such-model")
    assert last.status == 404
    until(lambda: requests(steady) >= before + 4, 5, "four more requests in the statistics")
    traced = steady.admin("telemetry", "trace", last.headers["x-request-id"])
    assert traced["spans"] and all(span["span_id"] for span in traced["spans"])
    for verb in (["costs"], ["errors"], ["prices"]):
        assert steady.cli("telemetry", *verb).returncode == 0, verb


def requests(suite: Suite) -> int:
    return suite.admin("telemetry", "stats")["requests"]
