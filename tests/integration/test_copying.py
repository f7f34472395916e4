"""What must be copied, and odd input, through the shipped translator over a real port."""

import re

import pytest

import regard

LANGUAGES = ("de", "fr", "es")


def translated(client: regard.Client, text: str, language: str = "de") -> str:
    return client.translate(text, to=language, num_beams=4).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Write to anna@example.com.", ["anna@example.com"]),
        ("Visit https://www.example.org/page?id=7&x=y today.", ["https://www.example.org/page?id=7&x=y"]),
        ("Hello {name}, you have %d new messages.", ["{name}", "%d"]),
        ("I am happy 😀 today.", ["😀"]),
        ("Her name is [Amber Hill].", ["[Amber Hill]"]),
        ("Open report_2024.pdf and print AB-123-X first.", ["report_2024.pdf", "AB-123-X"]),
        ("Tom asked @john_doe about #winter on :smile: day.", ["@john_doe", "#winter", ":smile:"]),
        ("Run `make install` in C:\\Temp\\a.b now.", ["`make install`", "C:\\Temp\\a.b"]),
        ("{{ user.first }} sent you ${amount} and %1$s.", ["{{ user.first }}", "${amount}", "%1$s"]),
    ],
)
def test_every_part_comes_out_once_and_verbatim(
    client: regard.Client, text: str, parts: list[str], language: str
) -> None:
    output = translated(client, text, language)
    assert [output.count(part) for part in parts] == [1] * len(parts), output
    assert re.search(r"[a-z]{3}", "".join(output.split(part)[0] for part in parts) + output), "words are translated"


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ("It costs $3.50.", r"3[,.]50"),
        ("There are 1,024 files.", r"1[.,\s]?024"),
        ("She bought 17 books.", "17"),
        ("He was born in 1998.", "1998"),
        ("The train leaves at 5:45 pm.", r"17[:.h]45|5:45"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_keeps_its_value(client: regard.Client, text: str, forms: str, language: str) -> None:
    output = translated(client, text, language)
    assert len(re.findall(rf"(?<![\d.,])(?:{forms})(?![\d])", output)) == 1, output
    assert len(re.findall(r"\d+(?:[.,:\s]\d+)*", output)) == 1, output
    assert "$" not in text or "$" in output


@pytest.mark.parametrize("text", ["42", "😀", "{0}", "https://example.org", "12:30"])
def test_what_holds_no_word_is_its_own_translation(client: regard.Client, text: str) -> None:
    result = client.translate(text, to="de")
    assert result.text == text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("\ufeffGood evening!", "Good evening!"),
        ("\u200eHello.", "Hello."),
        ("Ｈｅｌｌｏ.", "Hello."),
        ("The\u00a0shop \u2003is closed.", "The shop is closed."),
        ("It’s late.", "It's late."),
    ],
)
def test_odd_characters_change_nothing(client: regard.Client, odd: str, plain: str, language: str) -> None:
    assert translated(client, odd, language).replace("’", "'") == translated(client, plain, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_case_and_full_stop_follow_the_source(client: regard.Client, language: str) -> None:
    hello, shop = translated(client, "Hello.", language), translated(client, "The shop is closed today.", language)
    assert translated(client, "Hello", language) == hello.removesuffix(".")
    assert translated(client, "HELLO.", language) == hello.upper()
    assert translated(client, "HELLO", language) == hello.upper().removesuffix(".")
    assert translated(client, "THE SHOP IS CLOSED TODAY.", language) == shop.upper()
    assert translated(client, "- The shop is closed today", language) == "- " + shop.removesuffix(".")


def test_a_callers_pattern_is_protected(client: regard.Client) -> None:
    text = "Show me the Acme Rocket now."
    result = client.translate(text, to="de", protected_patterns=[r"Acme \w+"])
    assert result.text.count("Acme Rocket") == 1
    with pytest.raises(regard.InvalidArgument, match="missing"):
        client.translate(text, to="de", protected_patterns=["("])
