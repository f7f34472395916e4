"""The generation settings of a checkpoint; refuses settings that the engine does not offer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard_export.checkpoints.files import read_json
from regard_export.errors import ExportError
from regard_service.bundle import GenerationDefaults

# Options of `generate` that the engine does not offer, with the values that have no effect.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "do_sample": (None, False),
    "num_beam_groups": (None, 1),
    "diversity_penalty": (None, 0),
    "penalty_alpha": (None, 0),
    "encoder_repetition_penalty": (None, 1),
    "encoder_no_repeat_ngram_size": (None, 0),
    "exponential_decay_length_penalty": (None,),
    "begin_suppress_tokens": (None, []),
    "forced_decoder_ids": (None, []),
    "force_words_ids": (None, []),
    "constraints": (None, []),
    "sequence_bias": (None, {}, []),
    "guidance_scale": (None, 1),
    "dola_layers": (None,),
}

MAX_BEAMS = 16  # of `GenerationDefaults`
EARLY_STOPPING = {False: "heuristic", True: "first", "never": "never"}


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads config.json, overridden by generation_config.json."""
    return {**read_json(folder / "config.json"), **read_json(folder / "generation_config.json")}


def refuse_unsupported(settings: Mapping[str, Any]) -> None:
    """Raises ExportError with every generation option that the engine does not offer, if there are any."""
    faults = [f"{name} {settings[name]!r}" for name in NEUTRAL_VALUES if settings.get(name) not in NEUTRAL_VALUES[name]]
    if any(len(word) != 1 for word in settings.get("bad_words_ids") or []):
        faults.append("bad_words_ids of several tokens")
    if (settings.get("num_beams") or 1) > MAX_BEAMS:
        faults.append(f"num_beams {settings['num_beams']}, more than {MAX_BEAMS}")
    if faults:
        raise ExportError(f"the checkpoint has unsupported options: {'; '.join(faults)}")


def banned_ids(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokens that the checkpoint never generates."""
    words = [word[0] for word in settings.get("bad_words_ids") or []]
    return tuple(sorted({*words, *(settings.get("suppress_tokens") or [])}))


def generation_defaults(settings: Mapping[str, Any], max_target_tokens: int) -> GenerationDefaults:
    """The settings of generation_config.json, or of an older checkpoint's config.json."""
    max_new_tokens = settings.get("max_new_tokens") or (settings.get("max_length") or max_target_tokens + 1) - 1
    return GenerationDefaults(
        num_beams=settings.get("num_beams") or 1,
        max_new_tokens=min(max_new_tokens, max_target_tokens),
        min_new_tokens=min(_min_new_tokens(settings), max_new_tokens, max_target_tokens),
        length_penalty=1.0 if settings.get("length_penalty") is None else settings["length_penalty"],
        early_stopping=EARLY_STOPPING[settings.get("early_stopping") or False],
        no_repeat_ngram_size=settings.get("no_repeat_ngram_size") or 0,
        repetition_penalty=settings.get("repetition_penalty") or 1.0,
    )


def _min_new_tokens(settings: Mapping[str, Any]) -> int:
    """`min_length` counts the start token, `min_new_tokens` does not."""
    return int(settings.get("min_new_tokens") or max(0, (settings.get("min_length") or 0) - 1))
