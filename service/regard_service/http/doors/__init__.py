"""Doors: the HTTP APIs of other translators and servers, for clients that exist already.

A door translates requests into the calls that the JSON API makes, and answers and errors back. It has no models, limits
or queues of its own.

The modules:

    door            what a door is: its calls, where its keys stand, the shape of its errors
    given           a request as it was sent
    fields          its fields, whether they are JSON, a form or a query
    backend         what doors call
    facts           what doors tell of a server
    openapi         their OpenAPI documents
    background      translates files whose callers ask later how far they are
    kept_documents  keeps translated files until they are fetched
    characters      counts what callers send
    gateway         serves doors: tokens, layers, metrics
    unadmitted      a limit of memory for requests whose key stands in their body
    all_doors       the doors, by the names of their settings
    hugging_face    Hugging Face's inference API
    libretranslate  LibreTranslate
    deepl           DeepL
    open_inference  the Open Inference Protocol
"""
