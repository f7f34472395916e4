import pytest

from regard_models.recipes.word_links import link_words, split_words

# A language whose words are those of English backwards.
SENTENCES = [
    "the red house", "the old man", "a red car", "the old house", "a man", "a house", "the car", "red", "old car",
    "the man sees a red house", "a car and a house", "the house and the man", "old and red", "a man sees the car",
]  # fmt: skip


def backwards(sentence: str) -> str:
    return " ".join(word[::-1] for word in sentence.split())


def test_words_are_linked_to_their_translations_and_to_no_others() -> None:
    pairs = [(sentence, backwards(sentence)) for sentence in SENTENCES]
    for (source, _), links in zip(pairs, link_words(pairs), strict=True):
        assert links == tuple((at, at) for at in range(len(source.split())))


def test_repeated_words_are_linked_near_the_diagonal() -> None:
    pairs = [(sentence, backwards(sentence)) for sentence in SENTENCES]
    (*_, links) = link_words([*pairs, ("a car and a man and a house", "a rac dna a nam dna a esuoh")])
    assert links == tuple((at, at) for at in range(8))


def test_each_direction_must_agree() -> None:
    """A word that occurs with everything, and translates nothing, has fewer links than words that translate."""
    pairs = [(sentence, backwards(sentence)) for sentence in SENTENCES] * 3
    pairs += [(f"so {sentence} so", backwards(sentence)) for sentence in SENTENCES]
    links = link_words(pairs)[-len(SENTENCES) :]
    for (source, target), each in zip(pairs[-len(SENTENCES) :], links, strict=True):
        words = split_words(source), split_words(target)
        right = [(i, j) for i, j in each if words[0][i] == words[1][j][::-1]]
        assert len(right) >= len(words[1]) / 2
    wrong = sum(split_words(pairs[-len(SENTENCES)][0])[0] == "so" and (0, 0) in each for each in links)
    assert wrong < len(SENTENCES) / 2


@pytest.mark.parametrize("pair", [("", ""), ("word", ""), ("word " * 61, "drow")])
def test_empty_and_very_long_sides_have_no_links(pair: tuple[str, str]) -> None:
    links = link_words([("a man", "a nam"), pair, ("a car", "a rac")])
    assert links[1] == ()
    assert all(links[::2])


def test_marks_are_words() -> None:
    assert split_words("Don't go, {name}!") == ["Don", "'", "t", "go", ",", "{", "name", "}", "!"]
