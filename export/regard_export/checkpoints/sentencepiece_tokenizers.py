"""SentencePiece models as files of the `tokenizers` library, with ids from a separate vocabulary.

Marian and other toolkits number the pieces in a vocabulary of their own. The source's and the target's SentencePiece
model may share it, and each may hold only some of its pieces.
"""

import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from regard_export.errors import ExportError

UNIGRAM, BPE = 1, 2  # TrainerSpec.ModelType
NORMAL, USER_DEFINED, BYTE = 1, 4, 6  # SentencePiece.Type: the kinds of pieces that text consists of
UNKNOWN = "<unk>"
SPECIAL_PIECE = re.compile("<.+>|>>.+<<")  # never text, even if a user types it


def source_tokenizer(
    model_file: Path, ids: Mapping[str, int], added: Sequence[Any] = (), content: bytes | None = None
) -> str:
    """The tokenizer that reads text, a source or a given target, as JSON. It never produces a special token from text.

    Args:
        ids: every piece's id, those of `added` too; they run from 0.
        added: tokens (`AddedToken`) that are read wherever they stand in a text, before the model sees the rest.
        content: the file's, if it has been read.
    """
    proto = read_sentencepiece_model(model_file, content)
    tokenizer = Tokenizer(_model(proto, ids, {token.content for token in added}))
    tokenizer.normalizer = _normalizer(proto.normalizer_spec)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        prepend_scheme="always" if proto.normalizer_spec.add_dummy_prefix else "never"
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_tokens(
        [AddedToken(t.content, lstrip=t.lstrip, rstrip=t.rstrip, normalized=False, special=False) for t in added]
    )
    return str(tokenizer.to_str())


def target_tokenizer(ids: Mapping[str, int]) -> str:
    """The tokenizer that writes text, as JSON. It only decodes, for which a list of pieces is enough."""
    tokenizer = Tokenizer(models.WordLevel(dict(ids), unk_token=UNKNOWN))
    tokenizer.decoder = decoders.Metaspace()
    return str(tokenizer.to_str())


def alphabet_tokenizer(characters: Mapping[int, str]) -> str:
    """A tokenizer that writes each id as its character, as JSON; ids between them are unused."""
    names = {i: characters.get(i, f"<unused {i}>") for i in range(max(characters) + 1)}
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in names.items()}, unk_token=UNKNOWN))
    tokenizer.decoder = decoders.Fuse()
    return str(tokenizer.to_str())


def read_sentencepiece_model(file: Path, content: bytes | None = None) -> Any:
    """Reads a model as a protobuf message; `content` is the file's, if it has been read.

    Raises:
        ExportError: the file holds no model.
    """
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        proto.ParseFromString(file.read_bytes() if content is None else content)
    except Exception as error:  # protobuf's errors differ between versions
        raise ExportError(f"{file} is not a SentencePiece model: {error}") from error
    return proto


def _model(proto: Any, ids: Mapping[str, int], added: Set[str]) -> models.Model:
    scores = {piece.piece: piece.score for piece in proto.pieces if piece.type in (NORMAL, USER_DEFINED, BYTE)}
    byte_fallback = proto.trainer_spec.byte_fallback
    match proto.trainer_spec.model_type:
        case 1:
            return models.Unigram(_unigram_vocabulary(scores, ids, added), ids[UNKNOWN], byte_fallback)
        case 2:
            return models.BPE(
                vocab=dict(ids),
                merges=_merges(scores, {piece: i for piece, i in ids.items() if piece not in added or piece in scores}),
                unk_token=UNKNOWN,
                fuse_unk=True,
                byte_fallback=byte_fallback,
            )
        case other:
            raise ExportError(f"SentencePiece models of type {other} are not supported; unigram and BPE are")


def _foreign(scores: Mapping[str, float], ids: Mapping[str, int]) -> set[str]:
    """Pieces that only the other side's model has, made of characters that this model does not have at all.

    The original finds such runs of characters in the vocabulary too.
    """
    characters = set("".join(scores))
    return {
        piece for piece in ids if not (piece in scores or characters & set(piece) or SPECIAL_PIECE.fullmatch(piece))
    }


def _unigram_vocabulary(
    scores: Mapping[str, float], ids: Mapping[str, int], added: Set[str]
) -> list[tuple[str, float]]:
    """Pieces with their scores, by id. A piece that text must not become gets a space in its name.

    Added tokens keep their names, by which the library finds their ids; text is searched for them before the model.
    """
    own = {piece: i for piece, i in ids.items() if piece not in added}
    min_score, possible = min(scores.values()), scores.keys() | _foreign(scores, own) | added
    return [
        (piece if piece in possible else f"{piece} ", scores.get(piece, min_score))
        for piece in sorted(ids, key=ids.__getitem__)
    ]


def _merges(scores: Mapping[str, float], ids: Mapping[str, int]) -> list[tuple[str, str]]:
    """Every split of every piece, best piece first: SentencePiece orders merges by the score of the result."""
    known, foreign = scores.keys() & ids.keys(), _foreign(scores, ids)
    return [
        (piece[:cut], piece[cut:])
        for pieces in (sorted(known, key=lambda piece: (-scores[piece], piece)), sorted(foreign, key=len))
        for piece in pieces
        for cut in range(1, len(piece))
        if {piece[:cut], piece[cut:]} <= (known if piece in known else foreign)
    ]


def _normalizer(spec: Any) -> normalizers.Normalizer:
    """Unicode normalization by the model's own table, then white space."""
    steps: list[normalizers.Normalizer] = []
    if spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(spec.precompiled_charsmap))
    if spec.remove_extra_whitespaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    return normalizers.Sequence(steps)
