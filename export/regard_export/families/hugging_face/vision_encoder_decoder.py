"""VisionEncoderDecoder models of `transformers`: a vision transformer with a GPT-2, BERT or TrOCR decoder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import VisionEncoderDecoderModel

from regard_export.checkpoints.source_model import SourceModel, Wanted
from regard_export.checkpoints.weight_mapping import under
from regard_export.families.hugging_face.captioners import (
    BUFFERS,
    VisionReference,
    caption_target,
    captioner,
    read_files,
)
from regard_export.families.hugging_face.net_loading import banned_ids, load_net
from regard_export.families.hugging_face.text_decoders import make_sinusoids_anew, text_decoder
from regard_export.families.hugging_face.vision_encoders import vision_encoder

FAMILY = "vision-encoder-decoder"
# An encoder's pooler is read by nothing, and often missing; older files carry GPT-2's causal masks as weights.
UNREAD = re.compile(rf"encoder\.pooler\..*|decoder\.transformer\.h\.\d+\.\w+\.(bias|masked_bias)|{BUFFERS}")


def load(folder: Path, wanted: Wanted) -> SourceModel:
    """Reads a checkpoint's folder."""
    files = read_files(folder, wanted)
    net = load_net(VisionEncoderDecoderModel, folder, unread=UNREAD, trust_pickle=wanted.trust_pickle)
    make_sinusoids_anew(net)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = vision_encoder(net.config.encoder, under(weights, "encoder."))
    decoder = text_decoder(
        net.config.decoder,
        under(weights, "decoder."),
        memory_width=encoder.config.width,
        bridge=under(weights, "enc_to_dec_proj."),
        banned_ids=banned_ids(files.settings),
    )
    ids = _ids(files.settings, net.config.decoder)
    target = caption_target(files.tokenizer, ids, vocab_size=decoder.config.vocab_size)
    return captioner(FAMILY, files, encoder, decoder, target, VisionReference(net, decoder, target, files))


def _ids(settings: Mapping[str, Any], decoder: Any) -> dict[str, Any]:
    """The tokens that the checkpoint names; those that it does not, the decoder's config may."""
    ids: dict[str, Any] = {}
    for name, kinds in {
        "start": ("decoder_start", "bos"),
        "end": ("eos", "sep"),
        "pad": ("pad", "eos"),
    }.items():
        places = [settings.get(f"{kinds[0]}_token_id"), *(getattr(decoder, f"{kind}_token_id", None) for kind in kinds)]
        ids[name] = next((token for token in places if token is not None), None)
    return ids
