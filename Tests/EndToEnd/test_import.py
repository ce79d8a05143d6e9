"""`bulkhead init --from-litellm`: what becomes of a configuration of LiteLLM's proxy."""

import random
import subprocess
from pathlib import Path

import pytest
import yaml

from suite import BIN, SERVICES, environment

KEY = "sk-proj-" + "4f9Kd8Zq71XcVb2N" * 3

SMALL = """
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
  - model_name: claude
    litellm_params:
      model: claude-sonnet-4-5
      api_key: os.environ/ANTHROPIC_API_KEY
      max_tokens: 8192
  - model_name: embed
    litellm_params: { model: openai/text-embedding-3-small, api_key: os.environ/OPENAI_API_KEY }
    model_info: { mode: embedding }
litellm_settings:
  drop_params: true
  num_retries: 3
  request_timeout: 120
  fallbacks: [{ "gpt-4o": ["claude"] }]
general_settings:
  master_key: sk-1234
"""

BALANCED = f"""
# Two Azure regions, a fallback, and caches.
model_list:
  - model_name: gpt-4
    litellm_params:
      model: azure/gpt4-eu
      api_base: https://acme-eu.openai.azure.com/
      api_version: "2024-10-21"
      api_key: os.environ/AZURE_EU_KEY
      rpm: 900
    model_info: {{ base_model: azure/gpt-4, input_cost_per_token: 0.00003, output_cost_per_token: 0.00006 }}
  - model_name: gpt-4
    litellm_params:
      model: azure/gpt4-us
      api_base: https://acme-us.openai.azure.com/openai/deployments/gpt4-us/chat/completions?api-version=2024-10-21
      api_key: {KEY}
      rpm: 300
  - model_name: reserve
    litellm_params:
      model: openrouter/meta-llama/llama-3.3-70b-instruct
      api_key: os.environ/OPENROUTER_API_KEY
  - model_name: mixed
    litellm_params: {{ model: groq/llama-3.3-70b, order: 2 }}
  - model_name: mixed
    litellm_params: {{ model: mistral/mistral-large-latest, order: 1, stream_timeout: 5, timeout: 30 }}
router_settings:
  routing_strategy: usage-based-routing-v2
  model_group_alias: {{ "gpt-4-turbo": "gpt-4", "nothing": "no-such-model" }}
  fallbacks: [{{ "gpt-4": ["reserve"] }}]
  context_window_fallbacks: [{{ "gpt-4": ["mixed"] }}]
  redis_host: cache.internal
  redis_password: {KEY}
litellm_settings:
  cache: true
  cache_params: {{ type: redis, ttl: 600, namespace: x }}
  success_callback: [langfuse]
environment_variables:
  LANGFUSE_SECRET_KEY: {KEY}
"""

LOCAL = """
model_list:
  - model_name: llama
    litellm_params: { model: ollama_chat/llama3.1, api_base: "http://localhost:11434" }
  - model_name: qwen
    litellm_params: { model: hosted_vllm/Qwen/Qwen2.5-72B-Instruct, api_base: "http://gpu01:8000/v1", api_key: EMPTY }
  - model_name: nova
    litellm_params: { model: bedrock/eu.amazon.nova-pro-v1:0, aws_region_name: eu-central-1, aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID }
  - model_name: gemini-flash
    litellm_params: { model: gemini/gemini-2.5-flash, api_key: os.environ/GEMINI_API_KEY }
    model_info: { supports_vision: true, supports_function_calling: true, max_input_tokens: 1048576, max_output_tokens: 65536 }
  - model_name: thinker
    litellm_params: { model: openai/responses/o3, weight: 2 }
  - model_name: "claude-*"
    litellm_params: { model: "anthropic/claude-*" }
  - model_name: "openai/*"
    litellm_params: { model: "openai/*" }
  - model_name: painter
    litellm_params: { model: openai/dall-e-3 }
    model_info: { mode: image_generation }
  - model_name: palm
    litellm_params: { model: vertex_ai/gemini-1.5-pro, vertex_project: acme }
  - model_name: own
    litellm_params: { model: acme_llm/model-x, api_base: "https://llm.acme.example/v1", api_key: os.environ/OPENAI_API_KEY }
"""


def run(folder: Path, text: str | bytes) -> subprocess.CompletedProcess[str]:
    (folder / "litellm.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return subprocess.run(
        [str(BIN / "bulkhead"), "init", "--from-litellm", "litellm.yaml", "--config", "bulkhead.yaml"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, errors="replace", timeout=20,
    )


def imported(folder: Path, text: str) -> tuple[dict, str]:
    """The file that was written, after every service has accepted it, and what was told."""
    done = run(folder, text)
    assert done.returncode == 0, done
    for service in SERVICES:
        check = subprocess.run([str(BIN / f"bulkhead-{service}"), "check", "--config", "bulkhead.yaml"], cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=20)
        assert check.returncode == 0, check.stdout
    written = (folder / "bulkhead.yaml").read_text()
    assert KEY not in written + done.stdout + done.stderr, "no key of the file is ever copied or shown"
    return yaml.safe_load(written), done.stdout


def models(document: dict) -> dict[str, dict]:
    return {model["name"]: model for model in document["router"]["models"]}


def targets(model: dict) -> list[str]:
    return [f"{target['provider']}/{target.get('model', '*')}" for target in model["targets"]]


def test_a_small_file_becomes_routes_destinations_and_names_of_secrets(tmp_path: Path) -> None:
    document, told = imported(tmp_path, SMALL)
    found = models(document)
    assert targets(found["gpt-4o"]) == ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"] and found["gpt-4o"]["strategy"] == "ordered"
    assert targets(found["claude"]) == ["anthropic/claude-sonnet-4-5"] and found["claude"]["default_max_tokens"] == 8192
    assert found["gpt-4o"]["retry"]["tries_per_target"] == 4 and found["gpt-4o"]["timeouts"] == {"total": "120s"}
    assert document["credentials"]["destinations"]["openai"] == {"base_url": "https://api.openai.com", "secret": "OPENAI_API_KEY", "preset": "openai"}
    assert [row["name"] for row in document["router"]["providers"]] == ["openai", "anthropic", "builtin"], "one provider for each address and key"
    assert document["router"]["cache"]["exact"] == {"when": "off"}
    assert "bulkhead-credentials set OPENAI_API_KEY" in told and "general_settings.master_key" in told and "sk-1234" not in told


def test_several_entries_of_a_name_are_spread_and_fall_back(tmp_path: Path) -> None:
    document, told = imported(tmp_path, BALANCED)
    found = models(document)
    assert targets(found["gpt-4"]) == ["azure/gpt4-eu", "azure-2/gpt4-us", "openrouter/meta-llama/llama-3.3-70b-instruct", "mistral/mistral-large-latest", "groq/llama-3.3-70b"]
    eu, us, *reserves = [target["weight"] for target in found["gpt-4"]["targets"]]
    assert eu == 3 * us and all(us >= 300 * weight for weight in reserves), "by rpm, the fallbacks nearly never first"
    assert targets(found["gpt-4-turbo"]) == targets(found["gpt-4"]), "an alias"
    assert targets(found["mixed"])[0] == "mistral/mistral-large-latest" and found["mixed"]["strategy"] == "ordered", "order"
    assert found["mixed"]["timeouts"] == {"first_token": "5s", "total": "30s"}
    destinations = document["credentials"]["destinations"]
    assert destinations["azure"] == {"base_url": "https://acme-eu.openai.azure.com/openai", "secret": "AZURE_EU_KEY", "preset": "azure"}
    assert destinations["azure-2"] == {"base_url": "https://acme-us.openai.azure.com/openai", "secret": "AZURE_API_KEY", "preset": "azure"}
    assert document["router"]["cache"]["exact"] == {"when": "always", "ttl": "600s"}
    assert document["router"]["model_info"] == [{"model": "gpt4-eu", "price": {"input": 30.0, "output": 60.0}}]
    for word in ("was not copied", "usage-based-routing-v2", 'alias "nothing"', "redis", "context_window_fallbacks", "success_callback", "environment_variables", "cache_params.namespace"):
        assert word in told, (word, told)
    header = (tmp_path / "bulkhead.yaml").read_text().split("suite:")[0]
    assert all(line.startswith("#") or not line for line in header.splitlines()) and "was not copied" in header


SPREAD = """
model_list:
  - model_name: fast
    litellm_params: { model: openai/gpt-4o }
  - model_name: fast
    litellm_params: { model: azure/gpt4-eu, api_base: "https://acme.openai.azure.com" }
  - model_name: local
    litellm_params: { model: hosted_vllm/qwen, api_base: "http://gpu01:8000" }
  - model_name: local
    litellm_params: { model: hosted_vllm/qwen, api_base: "http://gpu02:8000" }
router_settings:
  routing_strategy: STRATEGY
  fallbacks: FALLBACKS
"""


@pytest.mark.parametrize(("foreign", "strategy", "lost"), [("latency-based-routing", "least_latency", "not by latency any more"), ("cost-based-routing", "cheapest", "not by price any more")])
def test_a_strategy_that_fallbacks_leave_no_room_for_is_told(tmp_path: Path, foreign: str, strategy: str, lost: str) -> None:
    for number, fallbacks in enumerate(("[]", '[{ "fast": ["local"] }]')):
        folder = tmp_path / str(number)
        folder.mkdir()
        document, told = imported(folder, SPREAD.replace("STRATEGY", foreign).replace("FALLBACKS", fallbacks))
        assert models(document)["fast"]["strategy"] == ("weighted" if number else strategy)
        noted = "".join(line for line in told.splitlines() if '"fast"' in line)
        assert (lost in noted) == bool(number) and (f"strategy: {strategy}" in noted) == bool(number), told


def test_cheapest_without_a_price_is_told_and_spread_by_weight(tmp_path: Path) -> None:
    document, told = imported(tmp_path, SPREAD.replace("STRATEGY", "cost-based-routing").replace("FALLBACKS", "[]"))
    assert models(document)["local"]["strategy"] == "weighted" and "no price is known" in told


def test_models_no_path_has_a_place_for_are_left_out(tmp_path: Path) -> None:
    entry = '  - { model_name: x, litellm_params: { model: "bedrock/arn:aws:bedrock:eu-central-1:1:inference-profile/y", aws_region_name: eu-central-1 } }\n'
    document, told = imported(tmp_path, SMALL.replace("model_list:\n", "model_list:\n" + entry))
    assert "x" not in models(document) and "takes the model in a path" in told


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    done = subprocess.run([str(BIN / "bulkhead"), "init", "--config", "no/such/bulkhead.yaml"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "mkdir -p no/such" in done.stderr and not done.stdout and not (tmp_path / "no").exists(), done


def test_local_servers_clouds_and_patterns(tmp_path: Path) -> None:
    document, told = imported(tmp_path, LOCAL)
    found, destinations = models(document), document["credentials"]["destinations"]
    assert destinations["ollama-chat"] == {"base_url": "http://localhost:11434", "private_network": True}
    assert destinations["hosted-vllm"] == {"base_url": "http://gpu01:8000", "private_network": True}
    assert targets(found["qwen"]) == ["hosted-vllm/Qwen/Qwen2.5-72B-Instruct"]
    assert destinations["bedrock"]["base_url"] == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    dialects = {row["name"]: row["dialect"] for row in document["router"]["providers"]}
    assert dialects["bedrock"] == "bedrock" and dialects["gemini"] == "gemini" and dialects["openai"] == "openai-responses"
    assert targets(found["claude-*"]) == ["anthropic/*"] and targets(found["thinker"]) == ["openai/o3"]
    assert document["router"]["model_info"] == [{"model": "gemini-2.5-flash", "context": 1048576, "max_output": 65536, "tools": True, "images": True}]
    assert not {"openai/*", "painter", "palm"} & set(found)
    assert destinations["acme-llm"]["secret"] == "OPENAI_API_KEY_2", "a secret is sealed to one host"
    for word in ("openai/*", "painter", "vertex_ai", "acme_llm", "aws_access_key_id", "OPENAI_API_KEY_2"):
        assert word in told, (word, told)


def test_nothing_is_written_over_a_file_and_nothing_without_models(tmp_path: Path) -> None:
    (tmp_path / "bulkhead.yaml").write_text("mine")
    assert run(tmp_path, SMALL).returncode == 1 and (tmp_path / "bulkhead.yaml").read_text() == "mine"
    (tmp_path / "bulkhead.yaml").unlink()
    for text in ("", "model_list: []", "model_list: 7", "[]", "just a text", "model_list: [{model_name: x, litellm_params: {model: cohere/command}}]"):
        done = run(tmp_path, text)
        assert done.returncode == 1 and done.stderr and not (tmp_path / "bulkhead.yaml").exists(), (text, done)


@pytest.mark.parametrize("text", ["model_list: [", "a: b: c", "model_list:\n\t- x", "a: &x [*x]", "x: !!python/object:os.system {}", "\x00\xff", "- - - -" * 40])
def test_what_is_no_yaml_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    done = run(tmp_path, text)
    assert done.returncode == 1 and "litellm.yaml:" in done.stderr and not (tmp_path / "bulkhead.yaml").exists(), done


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_are_imported_into_something_valid_or_refused(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    text = bytearray(chance.choice([SMALL, BALANCED, LOCAL]).encode())
    for _ in range(chance.randint(1, 12)):
        place = chance.randrange(len(text))
        match chance.randint(0, 3):
            case 0: del text[place : place + chance.randint(1, 40)]
            case 1: text[place : place] = chance.choice([b":", b"- ", b"\n", b"{", b"]", b"null", b"'", b"\xff", b"*", b"1e999", b'"\\x07"'])
            case 2: text[place] = chance.randrange(256)
            case 3: text[place : place] = text[chance.randrange(len(text)) :][:60]
    done = run(tmp_path, bytes(text))
    assert done.returncode in (0, 1), done
    assert KEY not in done.stdout + done.stderr
    if done.returncode == 1:
        assert done.stderr and not (tmp_path / "bulkhead.yaml").exists()
        return
    assert KEY not in (tmp_path / "bulkhead.yaml").read_text()
    for service in ("router", "credentials"):
        check = subprocess.run([str(BIN / f"bulkhead-{service}"), "check", "--config", "bulkhead.yaml"], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=20)
        assert check.returncode == 0, check.stdout + "\n" + bytes(text).decode(errors="replace")
