"""Results that draw themselves, and the events of a stream that ends with one."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb
from regard.values.detections import DetectResult
from regard.values.encodings import AnswerResult, ClassifiedInput, EncodeResult, FillMaskResult
from regard.values.events import Started, TokenMade
from regard.values.outputs import Output
from regard.wire.images import ImageLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from regard.plots import GatePlotOptions, PlotOptions, Style, ThemeName


@dataclass(frozen=True, repr=False)  # Output's, which is short
class Result(Output):
    """What a model made of one input, with methods that draw it. Attributes as in `Output`."""

    def plot(self, style: "Style | None" = None, **options: "Unpack[PlotOptions]") -> "Figure":
        """Draws a map as a matplotlib figure; see `regard.plots.plot_result`. Needs the extra 'plot'."""
        from regard.plots import plot_result

        return plot_result(self, style, **options)

    def save_plot(
        self, path: str | PathLike[str], *, picture: ImageLike | None = None, theme: "ThemeName" = "light"
    ) -> None:
        """Writes a map as a PNG, SVG or PDF, or as an animated GIF or WebP, by the file's ending.

        Needs the extra 'plot'. A caption is drawn over `picture`; None is the picture that the call sent.
        """
        from regard.plots import save_plot

        save_plot(self, path, picture=picture, theme=theme)

    def save_html(
        self,
        path: str | PathLike[str],
        *,
        picture: ImageLike | None = None,
        title: str | None = None,
        theme: "ThemeName | None" = None,
    ) -> None:
        """Writes one HTML file that shows the maps interactively and needs no other file; see `regard.html`."""
        from regard.html import save

        save(self, path, picture=picture, title=title, theme=theme)

    def _repr_html_(self) -> str:
        """What a notebook shows: the interactive view, in a frame."""
        from regard.html import frame

        return frame(self)


@dataclass(frozen=True, repr=False)
class ClassifyResult(ClassifiedInput):
    """The labels of an input, with a method that draws the gates of a picture. Attributes as in `ClassifiedInput`."""

    def plot(self, picture: ImageLike | None = None, **options: "Unpack[GatePlotOptions]") -> "Figure":
        """Draws the gates of positions over the picture that was sent, or those of channels, as a matplotlib figure.

        See `regard.plots.plot_gates`. Needs the extra 'plot'.
        """
        from regard.plots import plot_gates

        return plot_gates(self, picture, **options)


@dataclass(frozen=True)
class Finished:
    """Last event of a stream: the whole result, as the unary call returns it."""

    result: Result

    def to_dict(self) -> dict[str, Any]:
        """The event as a JSON object: {"finished": {"result": ...}}."""
        return {"finished": {"result": self.result.to_dict()}}


Event = Started | TokenMade | Finished
StreamResponse = pb.StreamTranslateResponse | pb.StreamSummarizeResponse | pb.StreamCaptionResponse


def read_results(
    messages: Sequence[pb.Result], is_single: bool, pictures: Sequence[bytes] = ()
) -> Result | list[Result]:
    """The results of a call; not in a list if the caller passed a single input.

    Args:
        pictures: those that were captioned, in order; of texts none.
    """
    sent = [*pictures, *[None] * len(messages)]
    results = [Result.from_message(message, picture) for message, picture in zip(messages, sent, strict=False)]
    if is_single and len(results) != 1:
        raise BadResponse(f"the server answered {len(results)} results to one input")
    return results[0] if is_single else results


OneStepResultT = TypeVar("OneStepResultT", EncodeResult, ClassifyResult, FillMaskResult, DetectResult, AnswerResult)


def as_answer(results: list[OneStepResultT], is_single: bool) -> OneStepResultT | list[OneStepResultT]:
    """The results of a call; not in a list if the caller passed a single input."""
    if is_single and len(results) != 1:
        raise BadResponse(f"the server answered {len(results)} results to one input")
    return results[0] if is_single else results


def read_event(message: StreamResponse, picture: bytes | None = None) -> Event | None:
    """The event in a stream's message; None for an event of a later version of the API."""
    match message.WhichOneof("event"):
        case "started":
            return Started.from_message(message.started)
        case "token":
            return TokenMade.from_message(message.token)
        case "finished":
            return Finished(Result.from_message(message.finished.result, picture))
    return None
