"""Terms in one hypothesis: each is written once, where its source words are attended to (Hasler et al. 2018).

A model says by its attention which word it translates. Where that is the alignment of the *next* token, a term is
forced before the model writes its own translation. Where it is the alignment of the token *before* (Shift-Att, Chen et
al. 2020), the model has begun its own translation already: the word is taken back, and the term takes its place. A term
that the model writes by itself counts. If it writes one that was forced, that one stood in a wrong place, and is taken
back, once. So is the model's own translation, if it comes behind a term that was forced: another word takes its place.
A term whose words are never attended to takes the place of the word whose weights on them are largest,
before the output may end.

All of it is decided token by token, in Python: most steps of a row only look up one position.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from regard.arrays import Float32Array
from regard_service.generation import Generation, Term, Terms

MIN_WEIGHT = 0.2  # of the source position that a step attends to
MIN_PEAK = 0.05  # of the weights on a term, for a word to be its translation
SURE_PEAK = 0.5  # the same, for a term to be placed before those that come earlier in the source
OWN_WEIGHT = 0.5  # on a term's source, for a word behind the term to be the model's own translation of it
MAX_CLEARED = 3  # words that are taken back beside a term, so that the search ends


@dataclass(frozen=True)
class Guidance:
    """How a model's attention tells where a term belongs, and how its state allows to correct it.

    Attributes:
        is_shifted: whether a step's attention is that of the token before.
        max_taken_back: tokens that a slot can take back: 1 where the state before the last step is kept, as many as
            there are where the state is a cache with a place for each token, else 0.
    """

    is_shifted: bool = False
    max_taken_back: int = 0


class Move(NamedTuple):
    """A token that a term forces, after a number of tokens were taken back."""

    num_taken_back: int
    token: int


@dataclass(frozen=True)
class TermPlan:
    """What all hypotheses of a request share.

    Attributes:
        num_special, num_forced: tokens at the beginning that are no text, and those that are never taken back.
    """

    terms: Terms
    num_special: int
    num_forced: int
    max_new_tokens: int
    end_ids: frozenset[int]
    guidance: Guidance

    @classmethod
    def of(cls, generation: Generation, end_ids: Sequence[int], guidance: Guidance) -> "TermPlan | None":
        """The plan of a request; None without terms."""
        if generation.terms is None or not generation.terms.terms:
            return None
        return cls(
            generation.terms,
            generation.forced_first_id is not None,
            len(generation.forced_start),
            generation.max_new_tokens,
            frozenset(end_ids),
            guidance,
        )

    @property
    def keeps_history(self) -> bool:
        """Whether a hypothesis can go back to any of its words."""
        return self.guidance.max_taken_back > 1

    @cached_property
    def owners(self) -> list[int]:
        """Of each source position up to the last of a term: the term's index, or -1."""
        last = max(position for term in self.terms.terms for position in term.positions)
        owners = [-1] * (last + 1)
        for index, term in enumerate(self.terms.terms):
            for position in term.positions:
                owners[position] = index
        return owners

    @cached_property
    def by_last_token(self) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
        """By a spelling's last token, the terms that have it, with the spelling."""
        found: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for index, term in enumerate(self.terms.terms):
            for spelling in dict.fromkeys((term.tokens, term.glued, term.initial)):
                found.setdefault(spelling[-1], []).append((index, spelling))
        return found


class TermState:
    """The terms of one hypothesis.

    Attributes:
        tokens: of the hypothesis.
        num_met: tokens of terms that it has, those of an unfinished term among them: the bank of the beam search.
        is_fresh: whether its last token ended a term that was forced.
        is_whole: whether it ended one that the model wrote by itself, as the best next token begins another word.
    """

    def __init__(self, plan: TermPlan) -> None:
        self._plan = plan
        self.tokens: list[int] = []
        self._unmet = dict.fromkeys(range(len(plan.terms.terms)))  # in order
        self._needed = plan.terms.num_tokens  # by those that are not met
        self._rest: tuple[int, ...] = ()  # of the term that is being written
        self._current = -1
        self._num_last = 0  # tokens of the term that was written last
        self._matched = -1  # a term that the last tokens are, unless the next token continues its last word
        self._floor = plan.num_forced  # tokens that are never taken back
        self._resumed: tuple[int, ...] = ()  # of the model's own tokens, which come again
        self._before: dict[int, _Before] = {}  # by term, the state before it was forced
        self._doubled = -1  # a forced term that the model has written again by itself
        self._barred: frozenset[int] = frozenset()  # terms that were forced in a wrong place
        self._history: list[Float32Array] = []  # weights of each step
        self._limit = plan.max_new_tokens
        self._is_beside = False  # whether the last word is the model's own translation of a term's source
        self._num_cleared: dict[int, int] = {}  # by term, how often a word was taken back beside it
        self._unwanted: tuple[int, frozenset[int]] = (-1, frozenset())  # a place, and tokens that do not come there
        self.num_met = 0
        self.is_fresh = False
        self.is_whole = False

    def copy(self) -> "TermState":
        """A hypothesis that goes on from this one."""
        made = TermState.__new__(TermState)
        made.__dict__.update(self.__dict__)
        made.tokens, made._unmet, made._history = self.tokens[:], dict(self._unmet), self._history[:]
        made._before = dict(self._before)
        return made

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return not (self._unmet or self._rest or self.is_fresh or self._before or self._watches)

    @property
    def has_unmet(self) -> bool:
        """Whether a term is missing or unfinished, so that the output may not end."""
        return bool(self._unmet)

    @property
    def least_length(self) -> int:
        """How long the output gets if what is missing is written at once, and then the end."""
        return len(self.tokens) + self._needed + 1

    @property
    def num_certain(self) -> int:
        """Tokens that are never taken back."""
        earliest = min((each.num_kept for each in self._before.values()), default=self._floor)
        length = len(self.tokens)
        if self._unmet or self._before:
            return max(min(earliest, self._floor, length), length - self._plan.guidance.max_taken_back)
        return max(self._last_word, 0) if self._watches else length

    @property
    def is_faulty(self) -> bool:
        """Whether the model has written a term again, so that it was forced in a wrong place, or its own translation
        beside it.
        """
        return self._doubled >= 0 or self._is_beside

    def decide(self, weights: Float32Array, best: int) -> Move | None:
        """What the terms make of a step; None: nothing, so far as `allows` agrees.

        Args:
            weights: float32 [source], of the step; must stay as they are.
            best: the token that the search would take.
        """
        if self._plan.keeps_history:
            self._history.append(weights)
        if self._rest or self._resumed:
            return Move(0, (self._rest or self._resumed)[0])
        continues = self._is_continuation(len(self.tokens), best)
        if self._doubled >= 0 and not continues and self._plan.keeps_history:
            return self._undo(self._doubled)
        self._doubled = -1 if continues else self._doubled
        self.is_whole = self._matched >= 0 and not continues
        if self.is_whole:
            self._meet_matched()
        own = None if continues else self._own_translation(weights)
        self._is_beside = own is not None
        if own is not None and self._num_cleared.get(own[0], 0) < MAX_CLEARED and self._plan.keeps_history:
            return self._without(*own)
        if not self._unmet or len(self.tokens) < self._plan.num_forced:
            return None
        index = self._attended(weights)
        if index in self._unmet and index not in self._barred:
            move = self._begin(index, self._num_trailing(continues), best)
            if move is not None:
                return move
        if best in self._plan.end_ids or self._is_late:
            return self._begin_missing() if self._unmet else None
        return None

    def allows(self, token: int) -> bool:
        """Whether a token may come next, where no term forces one: nothing continues the last word of a term."""
        if token in self._plan.end_ids:
            return not self._unmet
        return token not in self.unwanted and not (
            self.is_fresh
            and self._plan.terms.keeps_words
            and (token == self.begun or self._is_continuation(len(self.tokens), token))
        )

    @property
    def unwanted(self) -> frozenset[int]:
        """Tokens that do not come next: they began the model's own translation beside a term."""
        place, tokens = self._unwanted
        return tokens if place == len(self.tokens) else frozenset()

    @property
    def may_ban(self) -> bool:
        """Whether `allows` may refuse the next token."""
        return self.is_fresh or bool(self.unwanted)

    @property
    def begun(self) -> int:
        """The first token of the term that was written last: it does not come twice in a row."""
        return self.tokens[self._floor - self._num_last] if self._num_last else -1

    def take(self, num_taken_back: int, token: int) -> None:
        """Takes over a step's choice."""
        is_begun_again = bool(self._rest) and self._current == self._matched
        if self._matched in self._unmet and not (
            num_taken_back or is_begun_again or self._is_continuation(len(self.tokens), token)
        ):
            self._meet_matched()  # another candidate than the best, which would have continued its word
        self._matched, self.is_whole = -1, False
        if num_taken_back:
            del self.tokens[len(self.tokens) - num_taken_back :]
            del self._history[len(self.tokens) + 1 :]
        self.tokens.append(token)
        if self._resumed:
            self._resumed = self._resumed[1:]
        elif self._rest:
            self._rest = self._rest[1:]
            self._floor = len(self.tokens)
            self.num_met += 1
            self.is_fresh = not self._rest
            if self.is_fresh:
                self._meet(self._current)
        else:
            self.is_fresh = False
            self._matched = self._match(token, self._unmet)
            self._doubled = self._match(token, self._before) if self._matched < 0 else -1

    def end_soon(self, length: int) -> None:
        """Writes what is missing at once, so that the output can end at a length."""
        self._limit = min(self._limit, length)

    def repeat(self) -> None:
        """The same step comes again, with more candidates."""
        if self._history:
            self._history.pop()

    def go_on(self) -> Move:
        """What comes where no candidate is allowed: a missing term, or the end."""
        missing = self._begin_missing() if self._unmet else None
        return missing or Move(0, min(self._plan.end_ids))

    # What the attention says.

    def _attended(self, weights: Float32Array) -> int:
        """The term that the step attends to, or -1."""
        owners = self._plan.owners
        position = int(weights.argmax())
        if position >= len(owners) or weights[position] < MIN_WEIGHT:
            return -1
        is_of_term = self._plan.guidance.is_shifted and len(self.tokens) <= self._floor
        return -1 if is_of_term else owners[position]

    def _num_trailing(self, continues: bool) -> int:
        """How many tokens the term takes the place of: the word that the attention is of, as far as it is written."""
        is_shifted, most = self._plan.guidance.is_shifted, len(self.tokens) - self._floor
        if not (is_shifted or continues):
            return 0
        count = 1
        while count < most and self._is_continuation(len(self.tokens) - count, self.tokens[-count]):
            count += 1
        if 1 < count <= most and self._plan.terms.spelling.opens[self.tokens[-count]]:
            count -= 1  # a mark stays, and the term follows it without a space
        return min(count, most, self._plan.guidance.max_taken_back)

    # Writing a term.

    def _begin(self, index: int, num_taken_back: int, best: int = -1) -> Move | None:
        """Begins a term; None if the tokens are the whole term already.

        Args:
            best: the token that would come; -1 for a term that stays where it is, whatever follows.
        """
        kept = len(self.tokens) - num_taken_back
        spelling, written = self._spelling(index, kept), tuple(self.tokens[kept:])
        self._current, self._num_last = index, len(spelling)
        if written and written == spelling[: len(written)]:
            self._rest = spelling[len(written) :]
            self._floor = len(self.tokens)
            self.num_met += len(written)
            if self._rest:
                return Move(0, self._rest[0])
            self.is_fresh = True
            self._meet(index)
            return None
        if best >= 0:
            self._before[index] = _Before(self.copy(), kept, tuple(self.tokens[kept:]) or (best,))
        self._rest = spelling
        return Move(num_taken_back, spelling[0])

    def _own_translation(self, weights: Float32Array) -> tuple[int, int] | None:
        """A term that the hypothesis has, and where the last word begins, if the model translates the term's source by
        that word, too.
        """
        if not self._plan.guidance.is_shifted or len(self._unmet) == len(self._plan.terms.terms):
            return None
        spelling, place = self._plan.terms.spelling, self._last_word
        if place < max(self._floor, 1) or spelling.closes[self.tokens[place]] or spelling.opens[self.tokens[place]]:
            return None
        of_word = self._history[place + 1 :] or [weights]
        index = next((found for found in map(self._owner, of_word) if found >= 0), -1)
        return (index, place) if index >= 0 and index not in self._unmet else None

    @property
    def _last_word(self) -> int:
        """Where the last word begins, or the part of it that may be taken back; -1 without tokens."""
        place = len(self.tokens) - 1
        while place > self._floor and self._is_continuation(place, self.tokens[place]):
            place -= 1
        return place

    @property
    def _watches(self) -> bool:
        """Whether the model's own translation of a term that the hypothesis has is taken back."""
        plan = self._plan
        return plan.keeps_history and plan.guidance.is_shifted and len(self._unmet) < len(plan.terms.terms)

    def _owner(self, weights: Float32Array) -> int:
        """The term whose source has most of some weights, or -1."""
        position, owners = int(weights.argmax()), self._plan.owners
        return owners[position] if position < len(owners) and weights[position] >= OWN_WEIGHT else -1

    def _without(self, index: int, place: int) -> Move:
        """Takes back the last word, which begins at a place and stands beside a term.

        The token before the word comes again, so that the step that chose the word is repeated without it.
        """
        self._num_cleared = {**self._num_cleared, index: self._num_cleared.get(index, 0) + 1}
        before = self._unwanted[1] if self._unwanted[0] == place else frozenset()
        self._unwanted, self._resumed = (place, before | {self.tokens[place]}), (self.tokens[place - 1],)
        self.is_fresh = place == self._floor
        return Move(len(self.tokens) - place + 1, self.tokens[place - 1])

    def _undo(self, index: int) -> Move:
        """Goes back to before a term was forced; from there on, the model writes it by itself, or leaves it out."""
        before = self._before[index]
        num_taken_back, barred = len(self.tokens) - before.num_kept, self._barred | {index}
        own, history = self.tokens, self._history
        self.__dict__.update(before.state.copy().__dict__)
        self.tokens, self._history, self._barred = own, history, barred
        self._current, self._rest, self._resumed = -1, (), before.resumed
        return Move(num_taken_back, before.resumed[0])

    def _begin_missing(self) -> Move | None:
        """Begins a term that the model left out: in place of the word that attended most to its source."""
        peaks = [self._peak(index) for index in self._unmet]
        sure = [peak for peak in peaks if peak[0] >= SURE_PEAK]
        weight, index, place = max(sure) if sure else peaks[0]  # in the order of the source
        is_back_enough = len(self.tokens) - place <= self._plan.guidance.max_taken_back
        if weight < MIN_PEAK or not is_back_enough:
            place = len(self.tokens)
            has_mark = place > self._floor and self._plan.terms.spelling.closes[self.tokens[-1]]
            place -= bool(has_mark and self._plan.guidance.max_taken_back)
        return self._begin(index, len(self.tokens) - place)

    def _peak(self, index: int) -> tuple[float, int, int]:
        """The largest weight on a term's source since the last term, the term, and the beginning of that word."""
        positions, shift = list(self._plan.terms.terms[index].positions), int(self._plan.guidance.is_shifted)
        steps = range(self._floor + shift, len(self._history))  # none without a history
        if not steps:
            return 0.0, index, len(self.tokens)
        sums = [float(self._history[step][positions].sum()) for step in steps]
        largest = max(sums)
        place = self._floor + sums.index(largest)
        while self._floor < place < len(self.tokens) and self._is_continuation(place, self.tokens[place]):
            place -= 1
        return largest, index, place

    def _spelling(self, index: int, place: int) -> tuple[int, ...]:
        term: Term = self._plan.terms.terms[index]
        if place <= self._plan.num_special:
            return term.initial
        return term.glued if self._plan.terms.spelling.opens[self.tokens[place - 1]] else term.tokens

    def _match(self, token: int, among: Collection[int]) -> int:
        """The first of some terms whose tokens are the last ones, or -1."""
        for index, spelling in self._plan.by_last_token.get(token, ()):
            if index in among and tuple(self.tokens[-len(spelling) :]) == spelling and self._is_apart(len(spelling)):
                return index
        return -1

    def _is_apart(self, size: int) -> bool:
        """Whether the last tokens begin a word, and are not the end of a longer one."""
        start, plan = len(self.tokens) - size, self._plan
        if start <= plan.num_special or not plan.terms.keeps_words:
            return True
        return not self._is_continuation(start, self.tokens[start]) or bool(
            plan.terms.spelling.opens[self.tokens[start - 1]]
        )

    def _meet_matched(self) -> None:
        """The model has written a term by itself."""
        self.num_met += len(self._plan.terms.terms[self._matched].tokens)
        self._meet(self._matched)
        self._matched = -1

    def _meet(self, index: int) -> None:
        del self._unmet[index]
        self._needed -= self._plan.terms.terms[index].num_tokens
        self._floor = max(self._floor, len(self.tokens))

    @property
    def _is_late(self) -> bool:
        """Whether the missing terms need all tokens that are left, but one for the end."""
        return self.least_length >= self._limit

    def _is_continuation(self, place: int, token: int) -> bool:
        """Whether a token at a place goes on with the word of the token before it."""
        spelling = self._plan.terms.spelling
        if token < len(spelling.continues) and spelling.continues[token]:
            return True
        before = self.tokens[place - 1] if place else -1
        return 0 <= before < len(spelling.unfinished) and bool(spelling.unfinished[before])


class _Before(NamedTuple):
    """A hypothesis before a term was forced.

    Attributes:
        num_kept: tokens before the term.
        resumed: the model's own tokens in its place.
    """

    state: TermState
    num_kept: int
    resumed: tuple[int, ...]
