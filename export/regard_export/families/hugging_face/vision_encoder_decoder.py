"""VisionEncoderDecoder models of `transformers`: a vision transformer with a GPT-2, BERT or TrOCR decoder."""

import re
from pathlib import Path

from transformers import VisionEncoderDecoderModel

from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.weight_names import weights_under
from regard_export.families.hugging_face.captioners import (
    BUFFER_NAMES,
    CaptionerReference,
    caption_target,
    captioner_model,
    read_captioner_settings,
)
from regard_export.families.hugging_face.net_loading import load_net
from regard_export.families.hugging_face.text_decoders import recompute_sinusoids, special_ids, text_decoder
from regard_export.families.hugging_face.vision_encoders import vision_encoder

FAMILY = "vision-encoder-decoder"
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
    ids = special_ids(settings.generation, net.config.decoder)
    target = caption_target(settings.tokenizer, ids, vocab_size=decoder.config.vocab_size)
    reference = CaptionerReference(net, decoder, target, settings)
    return captioner_model(FAMILY, settings, encoder, decoder, target, reference)
