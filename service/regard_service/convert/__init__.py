"""Converts between protobuf and the domain, in no other place.

The modules:

    requests        calls from their requests
    options         generation and attention options from their messages
    model_requests  listing, loading and unloading models, from their requests
    checks          the bounds that the .proto gives
    malformed       why bytes are not a request
    responses       results and events to their messages
    models          models to their messages
    map_encoding    maps to bytes
    status          errors to gRPC statuses
    enums           the API's enums
    open_inference  the Open Inference Protocol
"""
