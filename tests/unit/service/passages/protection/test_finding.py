"""What the rules find, what they leave alone, and that hostile texts cost linear time."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.passages.protection.rules import finding as rules
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import NUMERIC, Kind

ADDRESSES = [
    "https://www.example.org/page?id=7&x=y",
    "http://localhost:8080/a_(b)",
    "ftp://files.example.net/pub/x.tar.gz",
    "www.example.com/a",
    "example.org",
    "localhost:8080",
    "http://user:pass@host:8080/p?q=1#x",
    "s3://bucket/key",
    "docs.example.io/en/latest",
    "mailto:anna@example.com",
    "anna@example.com",
    "first.last+tag@mail.example.co.uk",
    "<https://example.org/a?b=1>",
    "<mailto:anna@example.com>",
    "<anna@example.com>",
    "report_2024.pdf",
    "archive.tar.gz",
    "README.md",
    "*.txt",
    ".oxt",
    ".bashrc",
    "src/main.c",
    "/etc/hosts",
    "~/docs/a.txt",
    "./configure",
    "../img",
    r"C:\Users\tom\file.txt",
    r"\\server\share\dir",
    "src/main/java",
    r"C:\Program Files (x86)\My App\run.exe",
]
PLACEHOLDERS = [
    "{{{raw}}}", "%<name>s", "$(pwd)", "{user_name!r}", "%lu", "%05.2f", "{{ name|upper }}",
    "{name}", "{0}", "{}", "{0:.2f}", "{user.name}", "{{x}}", "{{ user.name }}", "${x}", "#{count}", "%s", "%d",
    "%1$d", "%2$s",
    "%1", "%L2", "%n", "$t(nested.key)", "%(name)s", "%-5.2f", "%@", "%%", "%PATH%", "$HOME", "[[page]]", "{% if x %}",
    "{count, plural, one{# file} other{# files}}", "____", "__/__/____",
]  # fmt: skip
CODES = [
    "127.0.0.1:80", "10.0.0.0/8", "AA:BB:CC:00:11:22", "2001:db8::1", "SKU#4471", "1Z999AA10123456784", "ab-12-cd",
    "std::vector", "foo->bar", "key=value", "100k", "1080p", "12h30",
    "AB-123-X", "TX-77B", "ABC1234", "MP3", "A4", "5G", "sha256", "x86_64", "F-16", "v1.2.3", "192.168.0.1", "0x1F",
    "5kg",
    "550e8400-e29b-41d4-a716-446655440000", "foo_bar", "foo()", "os.path.join()", "camelCase", "LibreOffice",
    "--verbose",
    "`make install`", "``a `b` c``", "C++", "C#", "=NOW()-A1",
    "1.2.2+build.5", "2024/00123-A", "foo_bar(x, y)", "rgb(255, 128, 0)", "com.example.App", "user@host", "443/tcp",
    "fe80::1%eth0", "2001:db8::/32", "Rd8+", "exd5+", "e8=Q+", "DE89 3704 0044 0532 0130 00", r"^[a-z]+\d{2,3}$",
    "$E = mc^2$", r"\(x^2\)", r"\cite{smith2020}", r"\alpha", "<kbd>Ctrl</kbd>+<kbd>C</kbd>", "<code>x y</code>",
    "H<sub>2</sub>O", "10<sup>6</sup>",
    "1.2.3-beta.4", "node@18.x", "@types/node@^20.1", "3f2a9c1b", "UTC+02:00", "10^6", "1e-5", "H₂O", "Ca²⁺",
]  # fmt: skip
HANDLES = ["@john_doe", "@user@mastodon.example", "#winter", "#123", "r/python"]
MARKS = [
    "😀",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "👍🏽",
    "❤️",
    "1️⃣",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    ":smile:",
    ":+1:",
    "[1]",
    "[3, 4]",
    "→",
    "★",
    ":-)",
    "<3",
    "<0>",
    "</1>",
    "<b>",
    "<br/>",
    "(-_-)",
]
NUMBERS = {
    "1,024": Kind.NUMBER,
    "3.5": Kind.NUMBER,
    "83.9": Kind.NUMBER,
    "83": Kind.NUMBER,
    "-5": Kind.NUMBER,
    "$3.50": Kind.AMOUNT,
    "20 €": Kind.AMOUNT,
    "USD 20": Kind.AMOUNT,
    "50%": Kind.AMOUNT,
    "-5 °C": Kind.AMOUNT,
    "5:30 pm": Kind.TIME,
    "10:45": Kind.TIME,
    "2024-05-13": Kind.DIGITS,
    "12/05/2024": Kind.DIGITS,
    "10-20": Kind.DIGITS,
    "3:2": Kind.DIGITS,
    "+49 30 1234567": Kind.DIGITS,
    "555-1234": Kind.DIGITS,
    "978-3-16-148410-0": Kind.DIGITS,
    "12.345.678,90": Kind.NUMBER,
    "12,345,678.90": Kind.NUMBER,
    "$1.2M": Kind.AMOUNT,
    "€50k": Kind.AMOUNT,
    "1.85 m": Kind.AMOUNT,
    "120 km/h": Kind.AMOUNT,
    "5.30 pm": Kind.TIME,
    "23:59:59,123": Kind.DIGITS,
    "48°51'24\"N": Kind.DIGITS,
    "100%%": Kind.AMOUNT,
}


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        *((Kind.ADDRESS, part) for part in ADDRESSES),
        *((Kind.PLACEHOLDER, part) for part in PLACEHOLDERS),
        *((Kind.CODE, part) for part in CODES),
        *((Kind.HANDLE, part) for part in HANDLES),
        *((Kind.MARK, part) for part in MARKS),
        *((Kind.ENTITY, part) for part in ("&amp;", "&#233;", "&#x1F600;")),
        *((Kind.NAME, part) for part in ("[Amber Hill]", "[first_name]", "[Bank of America]")),
        *((kind, part) for part, kind in NUMBERS.items()),
    ],
)
def test_what_is_copied_is_found_wherever_it_stands(kind: Kind, part: str) -> None:
    for before, after in (
        ("", ""),
        ("", " is here."),
        ("Look at ", " now."),
        ("It is ", "."),
        ("(", ")"),
        ("See ", ", please"),
    ):
        text = before + part + after
        assert [(text[slice(*f.span)], f.kind) for f in find(text)] == [(part, kind)], text


@pytest.mark.parametrize(
    "text",
    [
        "Good morning!",
        "I came.I saw.I won.",
        "He said: no; she didn't.",
        "Mr. Smith's dog, e.g. this one, i.e. that one.",
        "She works and/or studies, he/she said.",
        "Well-known mother-in-law's twenty-one.",
        "It is 'fine', \"really\" … yes — no.",
        "[see below]",
        "NATO and the USA",
        "Was ist das? Übermäßig schön.",
        "Я тебя люблю. 我爱你。",
    ],
)
def test_running_text_is_left_alone(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize(
    "text", ["She is in the 1st class.", "the 21st century", "in the 1990s", "100% sure", "5% of it"]
)
def test_ordinals_decades_and_percents_are_no_placeholders(text: str) -> None:
    assert all(finding.kind in NUMERIC for finding in find(text))


def test_the_last_point_of_a_sentence_is_no_part_of_a_time() -> None:
    for text, expected in {"at 7 a.m. sharp": "7 a.m.", "It is 7 a.m.": "7 a.m"}.items():
        assert [text[slice(*f.span)] for f in find(text)] == [expected]


def test_an_address_leaves_the_sentence_its_punctuation() -> None:
    for text, expected in {
        "See https://example.org/a.": "https://example.org/a",
        "(see https://example.org/a)": "https://example.org/a",
        "Is it https://example.org/a_(b)?": "https://example.org/a_(b)",
        "“https://example.org”": "https://example.org",
        "请访问https://example.org/a。谢谢": "https://example.org/a",
        "Ask @anna.": "@anna",
    }.items():
        assert [text[slice(*f.span)] for f in find(text)] == [expected]


@given(st.text())
def test_findings_are_in_order_and_hold_something(text: str) -> None:
    end = 0
    for finding in find(text):
        assert end <= finding.span.start < finding.span.end <= len(text)
        end = finding.span.end


@pytest.mark.parametrize(
    "unit",
    [
        "{", "{{", "{a,b,{", "{a{", "a@", "a", "[A ", "%", "%1$", "a.", "a_", "1,", "1-", "/a", "`", "`a", "😀\u200d",
        "&a", "<a ", "<aa:", "<a@a.aa",
        "http://", "http://a", ")", "(", "A-1-", ":a", "1", "a-", "a1-", "aB", r"\\a", "+1 1", "1.1.", "$", "@a",
        "1 ", "#", "\\",
        "a/b.", "--a=", "[1,", "1+", "(1+(1", "a^", "x = ", "((((1", "f(", "Ctrl+", "a&", "-a ", "a.b(", " :aa", "..\\",
        "1 = (", "& ", "| ", "=A(", "x", "0x", "1:2", "A1_",
        "$a", "$a=", "\\a{", "\\(", "[a]+", "<kbd>", "<kbd>a</kbd>+", "H<sub>2</sub>", "<!--", "&lt;a ", "1 000",
        "![a](", "src/", "ab.", 'a "', "1' ", "a@b", "DE89 1234", "-1-", "((",
        "_", "_/", "C:\\a ", "a@1.", "1a", "[^", "H₂", "1,234", "\\n", "1e", "UTC+1",
    ],
)  # fmt: skip
def test_a_hostile_text_ends(unit: str) -> None:
    # A rule of quadratic time would take minutes for each.
    for text in (unit * (30_000 // len(unit)), "http://" + unit * 5_000, "x " + unit * 5_000 + "!"):
        for finding in find(text):
            assert finding.span.start < finding.span.end


MORE_CODES = [
    "Ctrl+C", "Ctrl + Shift + Tab", "⌘C", "Alt+F4", "5 < 6", "a * b = c", "x^2 + y^2 = z^2", "E = mc²", "3 × 4 = 12",
    "f(x) = 2x + 1", "(a+b)*c = 5", "x <= -5", "a + b", "p < 0.05", "AT&T", "R&D", "Q&A", "obj.method(arg)", "-v",
]  # fmt: skip


@pytest.mark.parametrize("code", MORE_CODES)
def test_keys_formulas_and_names_with_ampersands_are_codes(code: str) -> None:
    text = f"We see {code} here."
    assert [(text[slice(*each.span)], each.kind) for each in find(text)] == [(code, Kind.CODE)]


@pytest.mark.parametrize(
    "text",
    [
        "He got an A+ and a C+ in it.",
        "I am what you are.",
        "A or B, and/or C",
        "She said no - he said yes.",
        "I work 9 to 5 in the city",
        "Control the game",
    ],
)
def test_words_are_no_formulas(text: str) -> None:
    assert not [each for each in find(text) if each.kind is Kind.CODE]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello :name, it is 12:30", [":name", "12:30"]),
        ("He is 5'10\" tall", ["5'10\""]),
        ("1'234'567 people", ["1'234'567"]),
        ("the 1990s and the 90s, the 2000s", ["1990", "90", "2000"]),
        ("the 3rd of 21st", ["3rd", "21st"]),
        ("./run.sh or ..\\x.bat", ["./run.sh", "..\\x.bat"]),
        ("Tom & Mary", ["&"]),
        ("a > b", ["a > b"]),
        ("Tools > Options", [">"]),
        ("this _word_ there", []),
        ("this _private name", ["_private"]),
        ("one[^2] and two³, 5 km² large.¹", ["[^2]", "³", "5 km²", "¹"]),
        ("Open it.\\nThen \\n\\n close it,\\tplease", ["\\n", "\\n\\n", "\\t"]),
        (r"C:\new or C:\dir to D:\next", [r"C:\new", r"C:\dir", r"D:\next"]),
        ('A 27" screen, a 15" one', ['27"', '15"']),
        ('He said "I have 15" and left, "5" is', ["15", "5"]),
        ("It is 10' long", ["10'"]),
        ("'In 10' is short", ["10"]),
        ("for $5-10, $5–$10, 20-30% off, 5–10 °C", ["$5-10", "$5–$10", "20-30%", "5–10 °C"]),
        ("1 000 000 people, 25 000 men, call 612 345 678", ["1 000 000", "25 000", "612 345 678"]),
        ("25min 30s, the 30s", ["25min", "30s", "30"]),
        ("5 kg of meat, 5 kg heavy", ["5", "5 kg"]),
        ("Let \\textbf{bold text} and \\alpha be $x$ at $5 and $6", ["\\textbf{", "}", "\\alpha", "$x$", "$5", "$6"]),
        ("the 1<sup>st</sup> of km<sup>2</sup>", ["1", "<sup>", "</sup>", "km<sup>2</sup>"]),
        ("&lt;b&gt;red&lt;/b&gt; or <!-- a - b -->", ["&lt;b&gt;", "&lt;/b&gt;", "<!-- a - b -->"]),
        ('![A cat](cat.png "The cat") [^1]: yes', ["!", "[A cat]", '(cat.png "The cat")', "[^1]:"]),
        ("**red door** is ***it:*** ~~no~~ at 2*3, a ** b", ["**", "**", "***", "***", "~~", "~~", "2*3", "**"]),
        ("{\\an8}I am, 10x20x30 cm big, for 3–5 km", ["{\\an8}", "10x20x30 cm", "3–5 km"]),
        ("one\\ntwo, ==marked== and/or", []),
        ("a decade, a facade and 123456 cafés", ["123456"]),
    ],
)
def test_what_is_found(text: str, found: list[str]) -> None:
    assert [text[slice(*each.span)] for each in find(text)] == found


def test_versions_have_no_decimal_mark() -> None:
    for text in ("Version 2.0 is out.", "It runs on Python 3.11 today.", "See v. 1.5"):
        assert [each.kind for each in find(text)] == [Kind.DIGITS], text
    for text in ("About 2.5 people came.", "It costs 3.5 dollars.", "I paid. Only 3.5 dollars."):
        assert [each.kind for each in find(text)] == [Kind.NUMBER], text


EVERY_PART = [*ADDRESSES, *PLACEHOLDERS, *CODES, *HANDLES, *MARKS, *NUMBERS, "&amp;", "[a b]", "&", "\\n", "x[^1]", "¹"]


@given(st.lists(st.sampled_from([*EVERY_PART, " ", ". ", "a"]) | st.text(max_size=4), max_size=5).map("".join))
def test_rules_that_are_not_tried_would_find_nothing(text: str) -> None:
    tried = find(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "RARE_SIGNS", re.compile(""))
        assert list(rules._found(text)) == tried or not rules._SIGNS.search(text)
