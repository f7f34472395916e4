"""The forms of messages: enums by their short names, arrays as bytes, pictures as files, messages as JSON."""
