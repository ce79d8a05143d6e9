"""LangChain's client of OpenAI, with only its address and its key changed."""

from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from suite import Suite, prompt

EVERY = pytest.mark.parametrize("model", ["assistant", "scribe"])
SURFACE = pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])


@tool
def weather(city: str, days: int) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class Sum(BaseModel):
    """A sum."""

    sum: int


def client(suite: Suite, model: str, responses: bool = False, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=f"{suite.url}/v1", api_key=suite.key, timeout=20, use_responses_api=responses, **options)


def text_of(message: Any) -> str:
    return message.text if isinstance(message.text, str) else message.text()


@EVERY
@SURFACE
def test_invoke(suite: Suite, model: str, responses: bool) -> None:
    text = prompt()
    answer = client(suite, model, responses).invoke([SystemMessage("Be brief."), HumanMessage(text)])
    assert text in text_of(answer) and answer.usage_metadata["input_tokens"] > 0


@EVERY
@SURFACE
def test_stream(suite: Suite, model: str, responses: bool) -> None:
    text = prompt()
    chunks = list(client(suite, model, responses, stream_usage=True).stream(text))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert len(chunks) > 3 and text in text_of(whole) and whole.usage_metadata["output_tokens"] > 0


@EVERY
@SURFACE
def test_tools(suite: Suite, model: str, responses: bool) -> None:
    text = prompt("weather")
    bound = client(suite, model, responses).bind_tools([weather])
    asked: list[Any] = [HumanMessage(text)]
    call = bound.invoke(asked)
    assert isinstance(call, AIMessage) and [made["name"] for made in call.tool_calls] == ["weather"]
    asked += [call, ToolMessage(f"sunny in {text}", tool_call_id=call.tool_calls[0]["id"])]
    assert f"sunny in {text}" in text_of(bound.invoke(asked))


@SURFACE
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(suite: Suite, responses: bool, method: str) -> None:
    answer = client(suite, "assistant", responses).with_structured_output(Sum, method=method).invoke(prompt())
    assert isinstance(answer, Sum)


def test_embeddings(suite: Suite) -> None:
    vectors = OpenAIEmbeddings(model="vectors", base_url=f"{suite.url}/v1", api_key=suite.key, check_embedding_ctx_length=False, dimensions=8)
    assert [len(vector) for vector in vectors.embed_documents(["low tide", prompt()])] == [8, 8]


def test_errors_are_the_clients_own(suite: Suite) -> None:
    with pytest.raises(openai.NotFoundError):
        client(suite, "no-such-model", max_retries=0).invoke("x")
    with pytest.raises(openai.InternalServerError):
        client(suite, "fail-500", max_retries=0).invoke(prompt())
