"""LibreTranslate's API, for Mastodon, Weblate and LibreTranslate's own clients (https://docs.libretranslate.com).

The modules:

    door        the calls, the key and the errors
    catalogue   which languages there are, and what a server tells of itself
    described   the OpenAPI document
"""
