"""The labels of a classifier of `transformers`."""

from typing import Any, Literal

from regard_export.errors import ExportError
from regard_service.bundle import LabelsOutput


def labels_output(
    config: Any, of: Literal["source", "token"] = "source", pooling: Literal["class", "mean"] = "class"
) -> LabelsOutput:
    """The labels that a config names.

    Args:
        pooling: by which states a whole source is labelled.

    Raises:
        ExportError: the model gives numbers instead of labels, or two labels have one name.
    """
    if config.problem_type == "regression" or config.num_labels < 2:
        raise ExportError(f"this model gives {config.num_labels} number(s), and no probabilities of labels")
    labels = tuple(str(config.id2label[label]) for label in range(config.num_labels))
    if len(set(labels)) < len(labels):
        raise ExportError("config.json: id2label gives two labels one name")
    is_exclusive = config.problem_type != "multi_label_classification"
    return LabelsOutput(labels=labels, of=of, is_exclusive=is_exclusive, pooling=pooling)
