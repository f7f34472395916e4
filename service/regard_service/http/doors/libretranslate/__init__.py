"""LibreTranslate's API, for Mastodon, Weblate and LibreTranslate's own clients (https://docs.libretranslate.com).

The modules:

    door        the calls, the key and the errors
    texts       /translate, /detect and /suggest
    files       /translate_file and its download
    catalogue   which languages there are, and what a server tells of itself
    described   the OpenAPI document
"""
