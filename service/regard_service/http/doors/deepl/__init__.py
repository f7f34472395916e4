"""DeepL's API, for DeepL's own libraries and the tools that speak to it (https://developers.deepl.com).

The modules:

    door              the calls and the key
    refusals          the errors
    parameters        what a request says, be it JSON, a form or a query
    calls             the calls about texts, languages and glossaries
    translations      texts
    tags              what a request says about tags
    language_codes    DeepL's codes of languages
    glossaries        what requests about glossaries say
    glossary_entries  their entries, as TSV and CSV
    catalogue         DeepL's glossaries over the server's own
    described         the OpenAPI document
"""
