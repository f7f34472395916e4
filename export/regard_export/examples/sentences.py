"""Sentences for verification without data, and texts that are hard for tokenizers."""

EXAMPLE_SENTENCES = (
    "Could you tell me where the library is?",
    "I have never been to the sea.",
    "She asked him to open the window because it was too warm in the room.",
    "Two dogs are running through the snow.",
    "How much does a ticket to the museum cost?",
    "My brother plays the guitar, but he does not sing.",
    "If it rains tomorrow, we will stay at home and read.",
    "Thank you!",
    "A man in a blue shirt is standing on a ladder cleaning a window.",
    "They had to wait for almost three hours at the station.",
    "What time does the next train to Berlin leave?",
    "The old house at the end of the street has been empty since 1998.",
    "Please do not forget to water the plants while I am away.",
    "He is one of the best teachers I have ever had.",
    "A little girl climbing into a wooden playhouse.",
    "It was so dark that nobody could see the road, so they turned around and drove back to the village.",
)

TRICKY_TEXTS = (
    "Ünïcödé, naïve façades, Straße, ¿señor?",
    "e\u0301 is é, but decomposed",
    "日本語のテキスト、русский текст, نص عربي, हिन्दी",
    "An emoji 🙂, a family 👨\u200d👩\u200d👧\u200d👦, a flag 🇫🇷, a thumb 👍🏽",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 4,
    "tabs\tand  two spaces\nand a new line \u00a0 and more",
    "  leading and trailing  ",
    "1234567890.12, -5 %, 3×4=12, €99.90, №7",
    'don\'t, "quoted", „quoted“, «quoted», it’s … – —',
    "https://example.org/a?b=c&d=%20#e",
    "</s> <pad> <s> <unk> <mask> <de> >>fra<< <0x41>",
    "▁under▁score _ __",
    "ﬁ ligature, ½, ①, Ⅷ, ㎏",
    "\u200bzero\u200bwidth\ufeff",
    "a\u0000b",
)
