"""Students of the Bergamot project (Firefox Translations, translateLocally), and other models in Marian's format."""

from pathlib import Path

import sentencepiece

from regard_export.architectures.student import StudentArchitecture
from regard_export.checkpoints.sentencepiece_tokenizers import source_tokenizer, target_tokenizer
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import read_content
from regard_export.families.bergamot.marian_files import MarianFile, read_model
from regard_export.families.bergamot.shortlists import read_shortlist
from regard_export.families.bergamot.student_files import StudentFiles, find_files
from regard_export.families.bergamot.student_options import StudentOptions, student_options
from regard_export.families.bergamot.student_reference import StudentReference
from regard_export.families.bergamot.student_weights import MAX_POSITIONS, describe
from regard_export.references.marian_numpy import MarianNet
from regard_service.bundle import GenerationDefaults, Provenance, Target, TextSource

FAMILY = "marian-student"
SOURCE_TOKENIZER, TARGET_TOKENIZER, GIVEN_TARGET_TOKENIZER = "source.json", "target.json", "given_target.json"
MAX_BEAMS = 16
MAX_VOCABULARY_BYTES = 2**26
LICENSE = "not stated by the folder; the Bergamot project publishes its models under CC BY-SA 4.0"

Pieces = sentencepiece.SentencePieceProcessor


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a student's folder.

    Raises:
        ExportError: with the file and the cause.
    """
    files = find_files(folder, load_options.languages)
    model = read_model(files.model)
    options = student_options(model)
    sizes = options.source_vocab_size, options.target_vocab_size
    contents = [read_content(file, MAX_VOCABULARY_BYTES) for file in files.vocabularies]
    source, target = (
        _pieces(file, content, size) for file, content, size in zip(files.vocabularies, contents, sizes, strict=True)
    )
    banned_ids = (target.unk_id(),)  # as Marian without `allow-unk`
    is_joint = contents[0] == contents[1]
    described = _target(target, SOURCE_TOKENIZER if is_joint else GIVEN_TARGET_TOKENIZER)
    tokenizers = {
        SOURCE_TOKENIZER: _reading_tokenizer(files.vocabularies[0], _ids(source), contents[0]),
        TARGET_TOKENIZER: target_tokenizer(_ids(target)),
    }
    if not is_joint:
        tokenizers[GIVEN_TARGET_TOKENIZER] = _reading_tokenizer(files.vocabularies[1], _ids(target), contents[1])
    net = MarianNet(options, {name: item.weight for name, item in model.items.items()})
    return SourceModel(
        family=FAMILY,
        task="translation",
        architecture=StudentArchitecture(describe(options, model.items, banned_ids)),
        reference=StudentReference(net, options.decoder_depth, described, banned_ids, (source, target)),
        source=TextSource(tokenizer=SOURCE_TOKENIZER, suffix_ids=(source.eos_id(),)),
        target=described,
        tokenizers=tokenizers,
        max_source_tokens=MAX_POSITIONS,
        max_target_tokens=MAX_POSITIONS,
        generation=_generation(files),
        provenance=_provenance(folder, files, model),
        source_languages=(files.languages[0],),
        target_languages=(files.languages[1],),
        summary=_summary(files, options),
        alignment_heads=((options.alignment_layer, 0),),
        alignment_method="the head that guided alignment trains: the first of a layer",
        shortlist=read_shortlist(files.shortlist, *sizes) if files.shortlist is not None else b"",
    )


def _pieces(file: Path, content: bytes, size: int) -> Pieces:
    """A SentencePiece model that numbers as many pieces as the table has rows."""
    try:
        pieces = Pieces(model_proto=content)
    except (OSError, RuntimeError) as error:
        raise ExportError(f"{file} is damaged or no SentencePiece model: {error}") from error
    if len(pieces) != size:
        raise ExportError(f"{file} has {len(pieces)} pieces, and the model's table {size} rows")
    if not (0 <= pieces.eos_id() < size and 0 <= pieces.unk_id() < size):
        raise ExportError(f"{file} has no end or no unknown piece")
    return pieces


def _reading_tokenizer(file: Path, ids: dict[str, int], content: bytes) -> str:
    try:
        return source_tokenizer(file, ids, content=content)
    except ExportError:
        raise
    except Exception as error:  # the tokenizers' errors have no class of their own
        raise ExportError(f"{file} is damaged: {error}") from error


def _ids(pieces: Pieces) -> dict[str, int]:
    return {pieces.id_to_piece(i): i for i in range(len(pieces))}


def _target(pieces: Pieces, reading_tokenizer: str) -> Target:
    return Target(
        tokenizer=TARGET_TOKENIZER,
        reading_tokenizer=reading_tokenizer,
        vocab_size=len(pieces),
        start_id=pieces.eos_id(),  # never read: the first position is a vector of zeros
        pad_id=pieces.eos_id(),
        end_ids=(pieces.eos_id(),),
        special_ids=tuple(sorted(i for i in range(len(pieces)) if pieces.is_control(i) or pieces.is_unknown(i))),
    )


def _generation(files: StudentFiles) -> GenerationDefaults:
    """As the folder's config decodes: `beam-size`, and `normalize`, the power of the length that a score is divided by.

    Raises:
        ExportError: they are not numbers, or out of bounds.
    """
    num_beams, penalty = files.settings.get("beam-size", 1), files.settings.get("normalize", 0.0)
    is_number = isinstance(penalty, int | float) and 0 <= penalty <= 10
    if not (type(num_beams) is int and 1 <= num_beams <= MAX_BEAMS and is_number):
        raise ExportError(f"{files.model.parent}: the config has beam-size {num_beams!r} and normalize {penalty!r}")
    return GenerationDefaults(num_beams=num_beams, max_new_tokens=MAX_POSITIONS, length_penalty=float(penalty))


def _provenance(folder: Path, files: StudentFiles, model: MarianFile) -> Provenance:
    version = str(model.options.get("version") or "")
    return Provenance(
        source=folder.name,
        weights_license=files.license or LICENSE,
        notes=f"{files.model.name}, written by Marian {version}".rstrip(),
    )


def _summary(files: StudentFiles, options: StudentOptions) -> str:
    cell = "SSRU" if options.cell == "ssru" else "self-attention"
    layers = f"{options.encoder_depth} encoder layers, {options.decoder_depth} {cell} decoder layers"
    return f"{files.title or 'A student in the format of the Bergamot project'}: {layers}"
