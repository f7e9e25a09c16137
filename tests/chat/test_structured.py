"""Structured answers: a pydantic class as the format that is asked for, and as the object of the answer."""

import pytest
from pydantic import BaseModel

from lamellar import ChatOptions, ChatResponse, ErrorKind, ExecutorError, JsonSchemaFormat, StopReason, Text


class City(BaseModel):
    """A city
    of the world."""

    name: str
    people: int


def answer(text: str, stop: str = "completed") -> ChatResponse:
    return ChatResponse(content=(Text(text),), model="m", provider="p", stop_reason=StopReason(stop))


def test_a_class_stands_for_its_schema():
    expected = JsonSchemaFormat.of(City)
    assert (expected.name, expected.description) == ("City", "A city\nof the world.")
    assert expected.schema["required"] == ["name", "people"]
    options = ChatOptions(response_format=City)
    assert options == ChatOptions(response_format=expected)
    assert options.answer_format == expected
    assert ChatOptions.model_validate_json(options.model_dump_json()) == options
    assert JsonSchemaFormat.of(City, strict=True).strict is True
    assert "response_format" in ChatOptions.model_json_schema()["properties"]


@pytest.mark.parametrize("wrapped", ["{}", " \n{}\n", "```json\n{}\n```", "```\n{}\n```\n"])
def test_the_answer_as_an_object(wrapped):
    text = wrapped.replace("{}", '{"name": "Ulm", "people": 126000}')
    assert answer(text).parse(City) == City(name="Ulm", people=126000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "Ulm"}', "the answer is no City: people: Field required"),
        ("Ulm has many people.", "the answer is no City: the answer: Invalid JSON"),
        ("", "Invalid JSON"),
    ],
)
def test_what_is_none_is_told_by_its_place(text, said):
    with pytest.raises(ExecutorError, match=said) as caught:
        answer(text).parse(City)
    assert (caught.value.kind, caught.value.model, caught.value.provider) == (ErrorKind.MALFORMED, "m", "p")


def test_an_answer_that_was_cut_off_says_so():
    with pytest.raises(ExecutorError, match="it stopped because of max_tokens"):
        answer('{"name": "U', "max_tokens").parse(City)
