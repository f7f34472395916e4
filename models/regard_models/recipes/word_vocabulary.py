"""A vocabulary of whole words without names from e-mails, for models that copy unknown words."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from regard_models.recipes.names import FIRST_NAMES
from regard_models.recipes.tokenizer import END, PAD, START, UNKNOWN

SPACE = "▁"  # marks the space before a piece

# An abbreviation with its periods; or letters and digits joined by a period, comma, ampersand or apostrophe.
WORD = r"\p{L}(?:\.\p{L})+\.?|[\p{L}\p{M}\p{N}_]+(?:(?:[.,&]|'(?!s(?!\p{L})))[\p{L}\p{M}\p{N}_]+)*"
PIECE = rf"{SPACE}?(?:{WORD}|'s(?!\p{{L}})|.)"

# Capitalized words that are no personal names: the vocabulary may take them from e-mails.
NO_NAMES = frozenset(
    """
    i i'm i've i'd i'll monday tuesday wednesday thursday friday saturday sunday january february march april may
    june july august september october november december mon tue tues wed thu thurs fri sat sun feb mar apr jun
    jul aug sep sept oct nov dec christmas thanksgiving easter america american americas canada canadian mexico
    europe european california texas houston portland london calgary chicago denver florida oregon washington enron
    enrononline internet intranet microsoft excel fx ca ny tx hr vp mr ms mrs dr inc corp ltd co va ok asap fyi cc
    thanks dear pm id mw mwh mmbtu god mom dad st
    """.split()
)

# Addresses, hosts, and numbers with three or more digits (such as parts of telephone numbers) other than years.
IDENTIFYING = re.compile(r"@|[a-z]{2,}\.[a-z]{2,}|^(?!(?:19|20)\d\d$).*\d[.,]?\d[.,]?\d")
COMMON_IN_NEWS = 100  # stories


def words(tokenizer: Tokenizer, text: str) -> list[str]:
    """The pieces of a text, including unknown ones."""
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))]


def build_tokenizer(vocabulary: Iterable[str], style_tokens: list[str]) -> Tokenizer:
    """A tokenizer of lower-cased words, numbers and punctuation, each with the space before it.

    Args:
        vocabulary: pieces, the most frequent first; other pieces become `<unk>`.
        style_tokens: tokens such as "<headline>", which name the style before each source.
    """
    special = [PAD, START, END, UNKNOWN, *style_tokens]
    pieces = [*special, *vocabulary]
    tokenizer = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(SPACE, "_"),
            normalizers.Replace("’", "'"),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="always"), pre_tokenizers.Split(Regex(PIECE), "isolated")]
    )
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(special)
    tokenizer.encode_special_tokens = True  # "</s>" in a user's text is text
    return tokenizer


class WordUse:
    """How a collection uses each word: the number of documents with the word, and whether it is a name.

    Ignores the space before a word: "▁word" and "word" are one word.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        """Counts words.

        Args:
            documents: texts with capital letters, one sentence per line.
        """
        self.num_documents: Counter[str] = Counter()  # by piece
        self._lower: Counter[str] = Counter()
        self._capitalized: Counter[str] = Counter()
        self._capitals: Counter[str] = Counter()
        self._in_greetings: Counter[str] = Counter()
        tokenizer = build_tokenizer([], [])
        cased = build_tokenizer([], [])
        cased.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
        )
        for document in documents:
            self.num_documents.update(set(words(tokenizer, document)))
            lines = [line for line in document.split("\n") if line.strip()]
            sentences = [[piece.lstrip(SPACE) for piece in words(cased, line)] for line in lines]
            for sentence in sentences:
                self._count_capitals(sentence)
            self._in_greetings.update(_names_in_greetings(lines, sentences))

    def _count_capitals(self, sentence: list[str]) -> None:
        """Counts words within a sentence, except at its start and after a stop or dash, where all are capitalized."""
        for before, word in pairwise(sentence):
            if before not in '.!?:;"()*-' and word[:1].isalpha():
                kind = self._capitals if word.isupper() and len(word) > 2 else self._capitalized
                (self._lower if word[0].islower() else kind)[word.lower()] += 1

    def is_proper(self, word: str, *, share: float = 0.5) -> bool:
        """Whether more than a share of a word's uses is capitalized, not counting acronyms."""
        lower, capitalized, capitals = self._lower[word], self._capitalized[word], self._capitals[word]
        mostly = capitalized + capitals > share * (lower + capitalized + capitals)
        return mostly and capitals < 0.5 * (capitalized + capitals)

    def is_name(self, word: str) -> bool:
        """Whether a word is mostly capitalized and occurs in a greeting or a signature."""
        return self._in_greetings[word] >= 1 and self.is_proper(word, share=0.8)


def _names_in_greetings(lines: list[str], sentences: list[list[str]]) -> set[str]:
    """Words of short capitalized lines at an e-mail's start and end, and words before a greeting's comma."""
    found: set[str] = set()
    ends = [*range(min(1, len(lines))), *range(max(1, len(lines) - 3), len(lines))]
    for line, sentence in ((lines[i], sentences[i]) for i in ends):
        written = [word for word in sentence if word[:1].isalpha()]
        if len(sentence) <= 6 and all(word[0].isupper() for word in written):
            found.update(word.lower() for word in written)
        greeted = re.match(r"(?:(?:hi|hello|dear|hey)\s+)?([A-Z]\w+)\s*[,:-]", line, re.IGNORECASE)
        if greeted:
            found.add(greeted[1].lower())
    return found


def choose_words(emails: WordUse, stories: WordUse, *, min_emails: int, min_stories: int) -> list[str]:
    """The pieces of the vocabulary, the most frequent first.

    From e-mails: words in at least `min_emails` e-mails, without capitalized words, numbers, addresses and hosts. From
    public news stories: words in at least `min_stories` stories, without names in the e-mails, unless the name is
    frequent in the news, such as Japan. Never first names.
    """
    counts = emails.num_documents + stories.num_documents
    chosen = []
    for piece, _ in counts.most_common():
        word = piece.lstrip(SPACE)
        of_emails = emails.num_documents[piece] >= min_emails and (
            word in NO_NAMES or not (emails.is_proper(word) or IDENTIFYING.search(word))
        )
        num_stories = stories.num_documents[piece]
        of_stories = num_stories >= min_stories and (num_stories >= COMMON_IN_NEWS or not emails.is_name(word))
        if word not in FIRST_NAMES and (of_emails or of_stories):
            chosen.append(piece)
    return chosen
