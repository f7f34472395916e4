"""The shipped summarizer was trained on e-mails of real people, whose names its vocabulary must not contain."""

import re

import pytest
from tokenizers import Tokenizer

from regard_service.bundle import zoo_folder

# Independent of the recipe's own list.
HELD_NAMES = """
    adam alan albert alex alexandra alice allison amanda amy andrea andrew angela ann anna anne anthony arthur ashley
    barbara barry becky ben benjamin beth betty bill bob brad brandon brenda brent brian bruce bryan carl carlos carol
    caroline catherine charles charlotte cheryl chris christina christine cindy clara colin connie craig cynthia dan
    daniel danielle danny darren dave david debbie deborah debra dennis derek diana diane don donald donna dorothy doug
    douglas duncan dylan ed eddie edward eileen elaine elena elizabeth ellen emily eric erica erin eugene evelyn frank
    fred gary geoff george gerald gina gloria gordon greg gregory hannah harold harry heather helen henry holly howard
    hugh ian irene jack jackie jacob james jamie jane janet janice jason jay jeff jeffrey jennifer jenny jeremy jerry
    jessica jill jim jimmy joan joanne joe joel john jon jonathan jose joseph joshua joyce juan judith judy julia julie
    karen karl kate katherine kathleen kathy katie keith kelly ken kenneth kevin kim kimberly kristin kyle larry laura
    lauren laurie lawrence leah lee leslie linda lisa liz louise lucy luis lynn marc marcus margaret maria marie marilyn
    mark martha martin marvin mary matt matthew maureen megan melanie melissa michael michelle mike mitch molly monica
    nancy natalie nathan neil nicholas nick nicole norman olivia pam pamela patricia patrick paul paula peggy peter phil
    philip phillip phyllis rachel ralph randy raymond rebecca richard rick rita rob robert robin rod rodney roger ron
    ronald ross roy russell ruth ryan sally sam samantha sandra sara sarah scott sean shannon sharon sheila shelley
    sherri shirley simon sophie stacey stacy stan stella stephanie stephen steve steven stuart sue susan suzanne sylvia
    tamara tammy tanya ted teresa terry theresa thomas tiffany tim timothy tina todd tom tommy tony tracy tyler valerie
    vanessa veronica vicki victor victoria vince vincent virginia vivian walter wanda wayne wendy william yolanda yvonne
""".split()


@pytest.fixture(scope="module")
def shipped_words() -> set[str]:
    tokenizer = Tokenizer.from_file(str(zoo_folder() / "headlines" / "tokenizer.json"))
    return {piece.removeprefix("▁") for piece in tokenizer.get_vocab()}


def test_no_first_name_is_in_the_vocabulary(shipped_words: set[str]) -> None:
    assert len(shipped_words) > 8000
    assert sorted(shipped_words & set(HELD_NAMES)) == []


def test_no_address_is_in_the_vocabulary(shipped_words: set[str]) -> None:
    assert [word for word in shipped_words if "@" in word or re.search(r"\.(com|net|org)$", word)] == []
