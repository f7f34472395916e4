"""A worker that serves CTranslate2 through the thin servicer."""

from benchmarks.peers.inside.ctranslate2_translator import CTranslate2Translator
from benchmarks.peers.inside.thin_server import serve

if __name__ == "__main__":
    serve(CTranslate2Translator)
