"""Clients that give a request less time than its provider takes."""


def configured(document: dict) -> None:
    document["router"]["models"] = [{"name": "slow", "targets": [{"provider": "open", "model": "demo-slow-2s"}]}]


def test_impatient_clients_close_the_way_to_providers_for_nobody(own_suite) -> None:
    suite = own_suite(configured).begin()
    for streaming in (False, True):
        for _ in range(12):
            reply = suite.chat(model="slow", stream=streaming, headers={"x-stainless-read-timeout": "0.3"})
            assert reply.status in (408, 504), reply
    links = [row for row in suite.admin("router", "breakers", "list") if "credentials" in row["name"]]
    assert [row["state"] for row in links] == ["closed"], links
    patient = suite.chat(model="slow")
    assert patient.status == 200, f"a patient client is answered by the same provider; it was {patient}"
