"""The API's enums have names, and names their numbers."""

import pytest
from google.protobuf.descriptor import EnumDescriptor

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums


@pytest.mark.parametrize(
    ("table", "descriptor"),
    [
        (enums.EARLY_STOPPING, pb.EarlyStopping.DESCRIPTOR),
        (enums.TRUNCATION, pb.Truncation.DESCRIPTOR),
        (enums.PRIORITY, pb.Priority.DESCRIPTOR),
        (enums.ATTENTION_KIND, pb.AttentionKind.DESCRIPTOR),
        (enums.GRANULARITY, pb.Granularity.DESCRIPTOR),
        (enums.ENCODING, pb.Encoding.DESCRIPTOR),
        (enums.ALIGNMENT_METHOD, pb.AlignmentMethod.DESCRIPTOR),
        (enums.WEIGHTING, pb.Weighting.DESCRIPTOR),
        (enums.FINISH_REASON, pb.FinishReason.DESCRIPTOR),
        (enums.TASK, pb.Task.DESCRIPTOR),
        (enums.MODEL_STATE, pb.ModelState.DESCRIPTOR),
    ],
)
def test_every_value_of_an_enum_has_a_name_and_the_name_its_number(
    table: enums.EnumTable[int, str], descriptor: EnumDescriptor
) -> None:
    assert table.name(0) is None
    for value in descriptor.values[1:]:
        name = table.name(value.number)
        assert name is not None
        assert table.number(name) == value.number
    with pytest.raises(ValueError, match="99"):
        table.name(99)
