"""A bundle on disk: an exported model's graphs, tokenizer, manifest and checksums. Needs neither torch nor ONNX.

    bundle/
        manifest.json           the Manifest
        tokenizer.json          the training's tokenizer (text models)
        int8/encode.onnx        one folder per precision
        int8/step.onnx

`docs/bundle.md` describes the graphs' contract. Other packages import from here:

    schema      scalar types and the base class of every part of a manifest
    graphs      tensors, graphs and variants
    outputs     what a model makes of its source
    manifest    the Manifest
    shortlists  which words a source may become
    folder      Bundle: reads and writes a folder, and checks its checksums
    confidence  how sure the model's outputs are
    length_ratios   how long outputs are for their sources
    external_data   the files from which a graph takes its weights
    versions    the order of versions
    zoo         the folder of the shipped bundles
"""

from regard_service.bundle.confidence import Confidence, Feature, RiskModel, WordCalibration
from regard_service.bundle.folder import MANIFEST, Bundle, BundleError, manifest_checksum, read_manifest, sha256
from regard_service.bundle.graphs import NOVELTY, GraphSpec, StateSpec, TensorSpec, Variant
from regard_service.bundle.length_ratios import (
    DEFAULT_LENGTH_RATIOS,
    LengthRatios,
    length_ratio,
    usual_length_ratios,
)
from regard_service.bundle.manifest import (
    AttentionLayout,
    ControlToken,
    GenerationDefaults,
    ImageSource,
    Manifest,
    Provenance,
    QuestionSource,
    Target,
    TextSource,
)
from regard_service.bundle.outputs import (
    BOX_LOGITS,
    BOXES,
    CANDIDATE_IDS,
    CANDIDATE_LOGITS,
    LOG_NORMALIZER,
    LOGITS,
    POOLED,
    BoxesOutput,
    LabelsOutput,
    Output,
    PiecesOutput,
    Pooling,
    TextOutput,
    VectorOutput,
)
from regard_service.bundle.schema import NAME, PROVIDER_NAMES, Dtype, Precision, Provider, Task, Unit, is_version
from regard_service.bundle.shortlists import (
    MAX_SHORTLIST_BYTES,
    SHORTLIST_MAGIC,
    BadShortlist,
    Shortlist,
    parse_shortlist,
)
from regard_service.bundle.versions import version_key
from regard_service.bundle.zoo import ZOO_PACKAGE, is_shipped, zoo_folder

__all__ = [
    "BOXES",
    "BOX_LOGITS",
    "CANDIDATE_IDS",
    "CANDIDATE_LOGITS",
    "DEFAULT_LENGTH_RATIOS",
    "LOGITS",
    "LOG_NORMALIZER",
    "MANIFEST",
    "MAX_SHORTLIST_BYTES",
    "NAME",
    "NOVELTY",
    "POOLED",
    "PROVIDER_NAMES",
    "SHORTLIST_MAGIC",
    "ZOO_PACKAGE",
    "AttentionLayout",
    "BadShortlist",
    "BoxesOutput",
    "Bundle",
    "BundleError",
    "Confidence",
    "ControlToken",
    "Dtype",
    "Feature",
    "GenerationDefaults",
    "GraphSpec",
    "ImageSource",
    "LabelsOutput",
    "LengthRatios",
    "Manifest",
    "Output",
    "PiecesOutput",
    "Pooling",
    "Precision",
    "Provenance",
    "Provider",
    "QuestionSource",
    "RiskModel",
    "Shortlist",
    "StateSpec",
    "Target",
    "Task",
    "TensorSpec",
    "TextOutput",
    "TextSource",
    "Unit",
    "Variant",
    "VectorOutput",
    "WordCalibration",
    "is_shipped",
    "is_version",
    "length_ratio",
    "manifest_checksum",
    "parse_shortlist",
    "read_manifest",
    "sha256",
    "usual_length_ratios",
    "version_key",
    "zoo_folder",
]
