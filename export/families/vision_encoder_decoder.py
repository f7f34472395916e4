"""VisionEncoderDecoder models of `transformers`: a vision transformer with a GPT-2, BERT or TrOCR decoder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import VisionEncoderDecoderModel

from export.families.captions import TOKENIZER, VisionReference, caption_target, load_tokenizer
from export.families.hugging_face import banned_ids, generation_defaults, load_net, read_json, refuse_unsupported
from export.families.mapping import under
from export.families.pictures import image_source, load_processor
from export.families.source import SourceModel
from export.families.text_decoders import make_sinusoids_anew, text_decoder
from export.families.vision_encoders import vision_encoder
from export.graph.encoder_decoder import EncoderDecoderArchitecture
from models.bundle import Provenance

FAMILY = "vision-encoder-decoder"
# An encoder's pooler is read by nothing, and often missing; older files carry GPT-2's causal masks as weights.
UNREAD = re.compile(
    r"encoder\.pooler\..*|decoder\.transformer\.h\.\d+\.\w+\.(bias|masked_bias)|decoder\..*position_ids"
)


def load(folder: Path) -> SourceModel:
    """Reads a checkpoint's folder."""
    settings = {**read_json(folder / "config.json"), **read_json(folder / "generation_config.json")}
    refuse_unsupported(settings)
    processor, tokenizer = load_processor(folder), load_tokenizer(folder)
    net = load_net(VisionEncoderDecoderModel, folder, unread=UNREAD)
    make_sinusoids_anew(net)
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    encoder = vision_encoder(net.config.encoder, under(weights, "encoder."))
    decoder = text_decoder(
        net.config.decoder,
        under(weights, "decoder."),
        memory_width=encoder.config.width,
        bridge=under(weights, "enc_to_dec_proj."),
        banned_ids=banned_ids(settings),
    )
    source, limit = image_source(processor, encoder.config), decoder.config.max_positions
    target = caption_target(tokenizer, _ids(settings, net.config.decoder), vocab_size=decoder.config.vocab_size)
    return SourceModel(
        family=FAMILY,
        task="captioning",
        architecture=EncoderDecoderArchitecture(encoder, decoder),
        reference=VisionReference(net, decoder, target, processor, tokenizer),
        source=source,
        target=target,
        tokenizers={TOKENIZER: tokenizer.backend_tokenizer.to_str()},
        max_source_tokens=source.num_positions,
        max_target_tokens=limit,
        generation=generation_defaults(settings, limit),
        provenance=Provenance(source=str(settings.get("_name_or_path") or folder.name)),
    )


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
