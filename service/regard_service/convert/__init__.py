"""The only place where protobuf meets domain types: `requests` reads the wire, `answers` and `models` write it."""
