"""The doors, in the order in which they are listed."""

from regard_service.http.doors.deepl.door import DEEPL
from regard_service.http.doors.door import Door
from regard_service.http.doors.hugging_face.door import HUGGING_FACE
from regard_service.http.doors.libretranslate.door import LIBRETRANSLATE
from regard_service.http.doors.open_inference.door import OPEN_INFERENCE
from regard_service.http.doors.openai.door import OPENAI

DOORS: tuple[Door, ...] = (LIBRETRANSLATE, DEEPL, OPEN_INFERENCE, HUGGING_FACE, OPENAI)
