"""One file a family of checkpoints: weights, config and tokenizer in, a `SourceModel` out."""
