"""OpenAI's embeddings, for `openai.OpenAI(base_url=URL)` (https://platform.openai.com/docs/api-reference/embeddings).

The modules:

    door         the calls and the errors
    inputs       a request for vectors
    embeddings   encodes the texts, and lists the models that do
    described    the OpenAPI document
"""
