"""Which elements are open, and whether they are to be translated."""

from dataclasses import dataclass, field

from regard_service.passages.markup.elements import closes_any, is_closed_by


@dataclass(slots=True)
class OpenElement:
    """An element whose end tag has not been read.

    Attributes:
        token: the index of its start tag.
        is_block: running text ends at its tags.
        is_translated: whether its own text is to be translated.
        keeps_space: whether its white space has a meaning.
        num_blocks: how many blocks were open when it was opened.
        is_open: false once it was closed while blocks were open in it.
    """

    name: str
    token: int
    is_block: bool
    is_translated: bool
    keeps_space: bool = False
    num_blocks: int = 0
    is_open: bool = True


@dataclass(slots=True)
class OpenElements:
    """The open elements of HTML or XML, outermost first. Every operation takes constant time, amortized."""

    _stack: list[OpenElement] = field(default_factory=list)
    _blocks: list[OpenElement] = field(default_factory=list)
    _by_name: dict[str, list[OpenElement]] = field(default_factory=dict)

    @property
    def last(self) -> OpenElement | None:
        """The innermost open element."""
        return self._stack[-1] if self._stack else None

    def open(self, element: OpenElement) -> None:
        """Opens an element."""
        element.num_blocks = len(self._blocks)
        self._stack.append(element)
        if element.is_block:
            self._blocks.append(element)
        self._by_name.setdefault(element.name, []).append(element)

    def close_before(self, opened: str) -> list[OpenElement]:
        """Closes the elements of HTML that another's start tag ends, innermost first; returns them."""
        closed: list[OpenElement] = []
        while closes_any(opened) and self._blocks and is_closed_by(self._blocks[-1].name, opened):
            closed += self._pop_through(self._blocks[-1])
        return closed

    def close(self, name: str) -> list[OpenElement]:
        """Closes the innermost element of a name, and what is still open in it; returns them, that element last.

        An inline element does not close the blocks that are open in it. Where there is no element of this name, none
        closes.
        """
        if not (named := self._by_name.get(name)):
            return []
        element = named[-1]
        if not element.is_block and len(self._blocks) > element.num_blocks:
            named.pop()
            element.is_open = False
            return [element]
        return self._pop_through(element)

    def _pop_through(self, element: OpenElement) -> list[OpenElement]:
        closed = [self._pop()]
        while closed[-1] is not element:
            closed.append(self._pop())
        while self._stack and not self._stack[-1].is_open:
            self._pop()
        return [each for each in closed if each.is_open]

    def _pop(self) -> OpenElement:
        top = self._stack.pop()
        if top.is_open:
            self._by_name[top.name].pop()
        if top.is_block:
            self._blocks.pop()
        return top
