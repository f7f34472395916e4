"""VisionEncoderDecoder models of `transformers`: a vision transformer with the decoder of a text model, and Donut."""

import re
from pathlib import Path

from transformers import VisionEncoderDecoderModel

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.weight_names import weights_under
from regard_export.families.hugging_face.captioners import (
    BUFFER_NAMES,
    MAX_CAPTION_TOKENS,
    CaptionerReference,
    caption_target,
    captioner_model,
    read_captioner_settings,
)
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.task_prompts import prompt_id, structural_ids, task_id
from regard_export.families.hugging_face.text_decoders import recompute_sinusoids, special_ids, text_decoder
from regard_export.families.hugging_face.vision_encoders import vision_encoder

FAMILY = "vision-encoder-decoder"
DONUT = "donut-swin"  # of its encoder
# Nothing reads an encoder's pooler, which is often missing; older checkpoints store GPT-2's causal masks as weights.
IGNORED_WEIGHTS = re.compile(
    rf"encoder\.pooler\..*|decoder\.transformer\.h\.\d+\.\w+\.(bias|masked_bias)|{BUFFER_NAMES}"
)


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder."""
    settings = read_captioner_settings(folder, load_options)
    net = load_net(
        VisionEncoderDecoderModel, folder, ignored=IGNORED_WEIGHTS, is_pickle_trusted=load_options.is_pickle_trusted
    )
    recompute_sinusoids(net)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = vision_encoder(net.config.encoder, weights_under(weights, "encoder."))
    decoder = text_decoder(
        net.config.decoder,
        weights_under(weights, "decoder."),
        memory_width=encoder.config.width,
        bridge=weights_under(weights, "enc_to_dec_proj."),
        settings=settings.generation,
    )
    tokenizer, is_donut = settings.tokenizer, net.config.encoder.model_type == DONUT
    ids, prefixes = special_ids(settings.generation, net.config.decoder), dict(load_options.prefixes)
    chosen = prompt_id(tokenizer, prefixes)
    if chosen is None and is_donut:
        chosen = task_id(tokenizer, settings.generation)
    target = caption_target(
        tokenizer,
        ids if chosen is None else {**ids, "start": chosen},
        settings.generation,
        vocab_size=decoder.config.vocab_size,
        special_ids=structural_ids(tokenizer) if is_donut else None,
    )
    reference = CaptionerReference(net, decoder, target, settings)
    limit = decoder.config.max_positions if is_donut else MAX_CAPTION_TOKENS  # a Donut writes whole pages
    return captioner_model(
        FAMILY, settings, encoder, decoder, target, reference, max_target_tokens=limit, prefixes=prefixes
    )
