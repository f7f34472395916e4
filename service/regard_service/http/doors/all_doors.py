"""The doors, in the order in which they are listed."""

from regard_service.http.doors.door import Door
from regard_service.http.doors.hugging_face.door import HUGGING_FACE
from regard_service.http.doors.libretranslate.door import LIBRETRANSLATE

DOORS: tuple[Door, ...] = (LIBRETRANSLATE, HUGGING_FACE)
