"""The generation settings of a checkpoint; refuses settings that the engine does not offer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from regard_export.checkpoints.files import read_json
from regard_export.errors import ExportError, listed
from regard_service.bundle import GenerationDefaults, Target

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

GENERATION_FILE = "generation_config.json"
GENERATION_SETTINGS = frozenset(GenerationConfig().to_dict()) - {"transformers_version"}
SPECIAL_IDS = frozenset({"bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"})
DEFAULT_MAX_NEW_TOKENS = 20  # of `generate`, for a checkpoint that names no length
# Settings that change probabilities after `renormalize_logits` should have summed them to 1 again.
CHANGE_PROBABILITIES = {"min_length": 0, "min_new_tokens": 0, "no_repeat_ngram_size": 0, "repetition_penalty": 1}

COUNTS = ("num_beams", "max_length", "max_new_tokens", "min_length", "min_new_tokens", "no_repeat_ngram_size")
NUMBERS = ("length_penalty", "repetition_penalty")
IDS = (
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "suppress_tokens",
)
MAX_BEAMS = 16  # of `GenerationDefaults`
EARLY_STOPPING = {False: "heuristic", True: "first", "never": "never"}


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads config.json, with the generation settings that `transformers` takes.

    They are those of generation_config.json if there is one. Only without it, config.json's own are taken, or its
    decoder's. The ids of special tokens are config.json's where no generation setting names them; a decoder that has
    no start there starts with `bos_token_id`, as in `generate`.

    Raises:
        ExportError: the decoder has several start tokens.
    """
    config, file = read_json(folder / "config.json"), folder / GENERATION_FILE
    chosen = read_json(file) if file.is_file() else legacy_settings(config)
    kept = {name: value for name, value in config.items() if name not in GENERATION_SETTINGS or name in SPECIAL_IDS}
    settings = {**kept, **{name: value for name, value in chosen.items() if value is not None}}
    if chosen.get("decoder_start_token_id") is None and chosen.get("bos_token_id") is not None:
        settings["decoder_start_token_id"] = chosen["bos_token_id"]
    start = settings.get("decoder_start_token_id")
    if isinstance(start, list):
        if len(start) != 1:
            raise ExportError(f"decoder_start_token_id {start} is not one token")
        settings["decoder_start_token_id"] = start[0]
    return settings


def legacy_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The generation settings within a config, as `transformers` takes them if there is no other file."""
    settings: dict[str, Any] = GenerationConfig.from_model_config(dict(config)).to_dict()
    return {name: value for name, value in settings.items() if name in GENERATION_SETTINGS}


def _mistyped(settings: Mapping[str, Any]) -> list[str]:
    """Names every generation setting that is not of its kind."""
    found = {name: settings[name] for name in (*COUNTS, *NUMBERS, *IDS) if settings.get(name) is not None}
    faults = [
        f"{name} {found[name]!r} is no whole number from 0 on" for name in COUNTS if not _is_count(found.get(name, 0))
    ]
    faults += [
        f"{name} {found[name]!r} is no number" for name in NUMBERS if not isinstance(found.get(name, 0), int | float)
    ]
    for name in IDS:
        ids = found.get(name, [])
        if not all(map(_is_count, ids if isinstance(ids, list) else [ids])):
            faults.append(f"{name} {ids!r} is no token's id, and no list of them")
    words = settings.get("bad_words_ids") or []
    if not (isinstance(words, list) and all(isinstance(word, list) and all(map(_is_count, word)) for word in words)):
        faults.append(f"bad_words_ids {words!r} is no list of lists of ids")
    return faults


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def refuse_unsupported(settings: Mapping[str, Any]) -> None:
    """Raises ExportError with every generation option that the engine does not offer, or that is not of its kind."""
    mistyped = _mistyped(settings)
    if mistyped:
        raise ExportError(f"the checkpoint's generation settings are damaged: {'; '.join(mistyped)}")
    faults = [f"{name} {settings[name]!r}" for name in NEUTRAL_VALUES if settings.get(name) not in NEUTRAL_VALUES[name]]
    if any(len(word) != 1 for word in settings.get("bad_words_ids") or []):
        faults.append("bad_words_ids of several tokens")
    if (settings.get("num_beams") or 1) > MAX_BEAMS:
        faults.append(f"num_beams {settings['num_beams']}, more than {MAX_BEAMS}")
    if settings.get("renormalize_logits") and (settings.get("num_beams") or 1) > 1:
        changing = [name for name, value in CHANGE_PROBABILITIES.items() if (settings.get(name) or value) != value]
        faults += [f"renormalize_logits with beams and {name} {settings[name]!r}" for name in changing]
    if faults:
        raise ExportError(f"the checkpoint has unsupported options: {'; '.join(faults)}")


def banned_ids(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Tokens that the checkpoint never generates. `generate` takes no end token for a bad word."""
    ends = settings.get("eos_token_id")
    ends = ends if isinstance(ends, list) else [ends]
    words = [word[0] for word in settings.get("bad_words_ids") or [] if word[0] not in ends]
    return tuple(sorted({*words, *(settings.get("suppress_tokens") or [])}))


def refuse_unknown_ids(target: Target, banned: Sequence[int]) -> None:
    """Raises ExportError with every token of the settings that the model's vocabulary does not have."""
    ids = {
        "decoder_start_token_id": [target.start_id],
        "eos_token_id": target.end_ids,
        "pad_token_id": [target.pad_id],
        # Not those of languages: M2M100's tokenizer numbers some that the table does not have.
        "forced_bos_token_id": [target.forced_first_ids[""]] if "" in target.forced_first_ids else [],
        "bad_words_ids or suppress_tokens": banned,
    }
    faults = [f"{name} {i}" for name, named in ids.items() for i in named if not 0 <= i < target.vocab_size]
    if faults:
        raise ExportError(f"the vocabulary has {target.vocab_size} tokens, and the checkpoint names {listed(faults)}")


def end_ids(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """The tokens that end an output."""
    ends = settings["eos_token_id"]
    return tuple(ends) if isinstance(ends, list) else (ends,)


def forced_first_ids(settings: Mapping[str, Any]) -> dict[str, int]:
    """The token with which every output begins, for `Target`."""
    forced = settings.get("forced_bos_token_id")
    return {} if forced is None else {"": forced}


def generation_defaults(settings: Mapping[str, Any], max_target_tokens: int) -> GenerationDefaults:
    """What `generate` does without arguments, see `read_settings`."""
    max_new_tokens = settings.get("max_new_tokens") or _by_max_length(settings)
    return GenerationDefaults(
        num_beams=settings.get("num_beams") or 1,
        max_new_tokens=min(max_new_tokens, max_target_tokens),
        min_new_tokens=min(_min_new_tokens(settings), max_new_tokens, max_target_tokens),
        length_penalty=1.0 if settings.get("length_penalty") is None else settings["length_penalty"],
        early_stopping=EARLY_STOPPING[settings.get("early_stopping") or False],
        no_repeat_ngram_size=settings.get("no_repeat_ngram_size") or 0,
        repetition_penalty=settings.get("repetition_penalty") or 1.0,
    )


def _by_max_length(settings: Mapping[str, Any]) -> int:
    """`max_length` counts the start token, `max_new_tokens` does not."""
    max_length = settings.get("max_length")
    return DEFAULT_MAX_NEW_TOKENS if max_length is None else max(1, int(max_length) - 1)


def _min_new_tokens(settings: Mapping[str, Any]) -> int:
    """`min_length` counts the start token, `min_new_tokens` does not."""
    return int(settings.get("min_new_tokens") or max(0, (settings.get("min_length") or 0) - 1))
