"""A picture with a question is one array, which the runner takes apart."""

import numpy as np

from regard_service.bundle import Bundle, ImageSource, QuestionSource, TextSource, zoo_folder
from regard_service.engine.runtime.questions import ids_of, pixels_of, question_record
from regard_service.engine.runtime.runner import encode_inputs, source_length

PIXELS = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)
QUESTIONS = [np.array(ids, np.int64) for ids in ([5, 6], [7, 8, 9])]
PICTURE = ImageSource(height=8, width=8, mean=(0,) * 3, std=(1,) * 3, resize="squash", grid=(2, 2), first_position=1)


def test_the_parts_of_a_record_are_those_that_it_was_made_of() -> None:
    record = question_record(PIXELS[0], QUESTIONS[1])
    np.testing.assert_array_equal(pixels_of(record), PIXELS[0])
    np.testing.assert_array_equal(ids_of(record), QUESTIONS[1])
    assert record.nbytes == PIXELS[0].nbytes + QUESTIONS[1].nbytes


def test_a_batch_stacks_pictures_and_packs_questions() -> None:
    everyday = Bundle.load(zoo_folder() / "everyday").manifest
    source = QuestionSource(picture=PICTURE, question=TextSource(tokenizer="tokenizer.json"))
    manifest = everyday.model_copy(update={"source": source})
    records = [question_record(*parts) for parts in zip(PIXELS, QUESTIONS, strict=True)]
    assert [source_length(manifest, record) for record in records] == [2 + 5, 3 + 5]
    inputs = encode_inputs(manifest, records)
    np.testing.assert_array_equal(inputs["pixels"], PIXELS)
    assert inputs["source_ids"].tolist() == [5, 6, 7, 8, 9]
    assert inputs["source_positions"].tolist() == [0, 1, 0, 1, 2]
    assert inputs["source_lengths"].tolist() == [2, 3]
    assert inputs["padded_to_packed"].tolist() == [[0, 1, 0], [2, 3, 4]]
