"""Text as people have it: cut into segments for a model, and made whole again. Knows no model and no tokenizer."""
