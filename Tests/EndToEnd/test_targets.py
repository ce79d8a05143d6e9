"""Targets an operator switches off and on."""

import json
import signal

from suite import Suite, until


def routed(document: dict) -> None:
    document["router"]["models"] = [
        {"name": "assistant", "targets": [{"provider": "open", "model": "demo-chat"}, {"provider": "open", "model": "demo-second"}]},
        {"name": "single", "targets": [{"provider": "open", "model": "demo-chat"}]},
    ]


def served(suite: Suite, model: str = "assistant") -> str:
    reply = suite.chat(model=model)
    assert reply.status == 200, reply
    return reply.headers["x-bulkhead-model"]


def test_a_target_that_is_switched_off_stays_off_over_a_restart(own_suite) -> None:
    suite = own_suite(routed).begin()
    assert served(suite) == "demo-chat"
    done = suite.admin("router", "target", "disable", "open/demo-chat")
    assert done["changed"] and done["disabled"] == ["open/demo-chat"] and done["modelsWithoutTarget"] == ["single"]
    assert not suite.admin("router", "target", "disable", "open/demo-chat")["changed"], "twice is no error"
    assert served(suite) == "demo-second"

    refused = suite.chat(model="single")
    assert refused.status == 503 and refused.error["code"] == "target_disabled", refused
    assert "bulkhead-router target enable open/demo-chat" in refused.error["message"]
    assert refused.headers["x-should-retry"] == "false"

    suite.wait_restarted("router", suite.signal("router", signal.SIGKILL))
    assert until(lambda: served(suite), 15, "the router answers") == "demo-second"
    assert {row["name"]: row["state"] for row in suite.admin("router", "breakers", "list")}["target:open/demo-chat"] == "disabled"
    assert 'bulkhead_router_target_disabled{service="router",target="open/demo-chat"} 1' in suite.request("GET", "/metrics", key=suite.new_key("--admin")["key"]).body.decode()

    assert suite.admin("router", "target", "enable", "open/demo-chat")["disabled"] == []
    assert served(suite) == "demo-chat" and served(suite, "single") == "demo-chat"


def test_a_damaged_file_of_switches_is_told_and_does_not_stop_the_router(own_suite) -> None:
    suite = own_suite(routed).begin()
    file = suite.root / "s" / "router" / "targets.json"
    file.write_text('{"disabled": [')
    before = suite.signal("router", signal.SIGKILL)
    suite.wait_restarted("router", before)
    until(lambda: served(suite) == "demo-chat", 15, "the router answers")
    status = suite.admin("router", "status")
    assert status["state"] == "degraded" and "switched off" in status["reason"]
    assert (file.parent / "targets.json.damaged").read_text() == '{"disabled": ['
    suite.admin("router", "target", "enable", "open/demo-chat")
    assert suite.admin("router", "status")["state"] == "ready"
    assert json.loads(file.read_text())["disabled"] == []


def test_an_unknown_target_is_refused_with_the_nearest(steady: Suite) -> None:
    done = steady.cli("router", "target", "disable", "open/demo-opne")
    assert done.returncode == 1 and "open/demo-open" in done.stderr and not done.stdout, done
