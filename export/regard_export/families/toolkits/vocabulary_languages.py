"""The languages of a multilingual model that a toolkit converted: its vocabulary has a piece for each."""

import re
from collections.abc import Mapping

from regard_export.checkpoints.languages import LanguagePairs, Languages, languages_by_side, named_languages
from regard_export.errors import ExportError
from regard_export.families.toolkits.vocabularies import Vocabularies

# "eng_Latn" of NLLB, "en_XX" of mBART-50, "__en__" of M2M100.
LANGUAGE_PIECE = re.compile(r"__([a-z]{2,3})__|([a-z]{2,3}_[A-Z][A-Za-z]{1,3})")
MIN_LANGUAGES = 2


def vocabulary_languages(vocabularies: Vocabularies, pairs: LanguagePairs, target_prefix: str) -> Languages:
    """The languages, with the pieces that a source and a target begin with.

    Args:
        target_prefix: a piece with which every output begins, of an Argos package; "" for none.

    Raises:
        ExportError: the caller named no languages, or ones that the vocabulary has no piece for; or it has no such
            prefix.
    """
    found = language_pieces(vocabularies.target)
    if target_prefix:
        if target_prefix not in vocabularies.target:
            raise ExportError(f"target_prefix {target_prefix!r} is no piece of the vocabulary")
        forced = {"": vocabularies.target[target_prefix]}
        named = named_languages(pairs)
        return Languages(named.sources, named.targets, forced_first_ids=forced)
    if len(found) < MIN_LANGUAGES:
        return named_languages(pairs)
    sources, targets = languages_by_side(pairs) if pairs else (tuple(found), tuple(found))
    unknown = sorted({*sources, *targets} - found.keys())
    if unknown:
        raise ExportError(f"no languages {', '.join(unknown)}; there are {', '.join(sorted(found))}")
    return Languages(
        sources,
        targets,
        language_prefix_ids={code: (vocabularies.source[found[code]],) for code in sources},
        forced_first_ids={code: vocabularies.target[found[code]] for code in targets},
    )


def language_pieces(pieces: Mapping[str, int]) -> dict[str, str]:
    """The piece of each language, by its code."""
    matches = ((LANGUAGE_PIECE.fullmatch(piece), piece) for piece in pieces)
    return {match[1] or match[2]: piece for match, piece in matches if match}
