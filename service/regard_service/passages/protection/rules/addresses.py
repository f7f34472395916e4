"""URLs, e-mail addresses, file names and paths."""

from regard_service.passages.protection.rules.kinds import Kind, Rule, either

# Text in East Asian scripts, and quotation marks, end an address that no space ends.
_CHARACTER = r"[^\s<>\"“”„«»`{}|\\^\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
_SCHEME = either(
    r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,19}+://",
    r"(?<![A-Za-z0-9+.-])(?:mailto|tel|urn|data|doi|magnet):(?=[^\s:])",
)
_TOP_LEVEL = (
    "(?:com|org|net|edu|gov|mil|int|info|biz|io|dev|app|ai|eu|de|fr|es|pt|br|uk|us|ca|it|nl|be|ch|at|pl|ru|ua|cz|se|no"
    "|fi|dk|ie|jp|cn|kr|in|au|nz|za|mx|ar|cl|co|me|tv|cc|ly|gg|xyz|online|site|tech|shop|blog|cloud|example|test|local)"
)
_HOST = rf"(?:[a-z0-9][a-z0-9-]{{0,61}}+\.){{1,8}}(?<=\.){_TOP_LEVEL}(?![\w-]|\.\w)"
_URL = either(
    rf"{_SCHEME}{_CHARACTER}++",
    rf"(?<![\w@.-])www\.{_CHARACTER}++",
    rf"(?<![\w@.-])localhost(?=[:/])(?::[0-9]{{1,5}}+)?+(?:/{_CHARACTER}*+)?+",
    rf"(?<![\w@.-]){_HOST}(?::[0-9]{{1,5}}+)?+(?:/{_CHARACTER}*+)?+",
)

_LABEL = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}+)\.)"
_EMAIL = rf"(?<![\w.+%-])[\w.+%'-]{{1,64}}+@{_LABEL}{{1,8}}[A-Za-z][A-Za-z0-9-]{{0,22}}+(?<=[A-Za-z0-9]{{2}})(?!\w)"
# The angle brackets around an address belong to it (RFC 3986, appendix C; RFC 5322, section 3.4): models write others.
_BRACKETED = either(
    r"<[A-Za-z][A-Za-z0-9+.-]{1,19}+:[^\s<>]{1,2000}+>",
    rf"<{_EMAIL}>",
)

_EXTENSION = (
    r"(?i:7z|aac|apk|asc|asm|avi|avif|bak|bash|bat|bib|bin|bmp|bz2|cab|cfg|class|cmd|conf|cpp|cs|css|csv|cxx|dat|db|deb"
    "|dll|dmg|doc|docm|docx|dot|dtd|dylib|eml|eps|epub|exe|flac|flv|fodt|gif|go|gpx|gz|gzip|heic|hpp|hs|htm|html|ical"
    "|ico|ics|img|ini|ipynb|iso|jar|java|jpeg|jpg|js|json|jsonl|jsx|key|kt|lock|log|lua|m3u|m4a|m4v|md|mid|mkv|mo|mov"
    "|mp3|mp4|mpeg|mpg|msi|npy|npz|odb|odf|odg|odp|ods|odt|ogg|onnx|otf|ott|oxt|pages|parquet|patch|pdf|pem|php|pkl|png"
    "|po|pot|pps|ppt|pptx|properties|ps|ps1|psd|py|pyc|rar|rb|rpm|rs|rst|rtf|scss|sh|so|sql|srt|svg|swift|tar|tex|tgz"
    "|tif|tiff|toml|ts|tsv|tsx|ttf|txt|vb|vbs|vcf|vtt|wasm|wav|webm|webp|wma|wmv|woff|woff2|xhtml|xlf|xliff|xls|xlsm"
    "|xlsx|xml|xsd|xsl|xz|yaml|yml|zip|zst|[ch])"
)
_IN_NAME = r"[\w+@~=,-]"
_FILE = either(
    rf"(?<![\w./\\-]){_IN_NAME}{{1,100}}+(?:\.{_IN_NAME}{{1,60}}+){{0,6}}?\.{_EXTENSION}(?![\w-]|\.\w)",
    r"(?<![\w./\\])\*\.\w{1,10}+(?!\w)",  # *.txt
    r"(?<![^\s(\[\"'“„«])\.[a-z][a-z0-9]{1,11}+(?!\w|\.\w)",  # .txt, .bashrc
)
_IN_PATH = r"(?:[\w+@-]|\.(?=[\w+@-])){1,100}+"
_SHORT_EXTENSION = either(*(rf"(?<=\.[A-Za-z0-9]{{{count}}})" for count in range(1, 5)))
# Within the name of a folder: C:\\My Documents\\a.txt
_SPACE_IN_PATH = r" (?=[\w()&-]{1,30}+(?: [\w()&-]{1,30}+){0,2}+\\)"
_IN_FOLDER = rf"(?:[^\s\\/:*?\"<>|]|{_SPACE_IN_PATH}){{0,200}}+"
_ROOTS = (
    "(?:app|apps|assets|bin|build|config|dist|docs?|etc|home|include|lib|node_modules|opt|packages|public|resources|scripts"
    "|src|static|templates|tests?|tmp|usr|var|vendor)"
)
_PATH = either(
    rf"(?<![\w./\\-]){_ROOTS}(?:/{_IN_PATH}){{1,20}}+/?+(?!\w)",  # src/main/java
    r"(?<![\w./\\])(?:~|\.{1,2}|\$[A-Z]{1,30}+)?+(?:/[\w.+@~%-]{1,200}+)++/?+",  # /etc/hosts, ./run, ~/a
    r"(?<![\w./\\])(?:~|\.{1,2})/(?!\w)",
    rf"(?<![\w./\\-]){_IN_PATH}(?:/{_IN_PATH}){{1,20}}+{_SHORT_EXTENSION}(?![\w/])",  # src/main.c
    r"(?<![\w.\\])(?:\.{1,2}+\\[\w.+@-]{1,200}+)(?:\\[\w.+@-]{1,200}+)*+",  # ..\a.bat
    rf"(?<![\w\\])(?:[A-Za-z]:|\\\\[\w.$-]{{1,64}}+)(?:[\\/]{_IN_FOLDER})++",  # C:\a, \\host\share
)

RARE = frozenset({_BRACKETED, _EMAIL})
"""Expressions whose every match holds one of `finding.RARE_SIGNS`."""
RULES: tuple[Rule, ...] = ((_BRACKETED, Kind.ADDRESS), (_URL, Kind.ADDRESS), (_EMAIL, Kind.ADDRESS))
FILE_RULES: tuple[Rule, ...] = ((_FILE, Kind.ADDRESS), (_PATH, Kind.ADDRESS))
