import torch

from regard_models.nets.transformer import Transformer, TransformerConfig
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import END, START, train_tokenizer
from regard_models.recipes.translation import Vocabulary, translate

TEXTS = ["a b c", "c", "b b b b a a c c", "a a", "c b a b c a b"]


def test_texts_of_all_lengths_get_the_translations_that_they_get_alone() -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(train_tokenizer(TEXTS, vocab_size=290, language_tokens=["<de>"]))
    config = TransformerConfig(
        vocabulary.tokenizer.get_vocab_size(),
        width=16,
        num_heads=2,
        encoder_layers=1,
        decoder_layers=1,
        feed_forward_width=16,
        tie_embeddings=False,
    )
    model = Transformer(config)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter)
    with torch.no_grad():
        model.head.weight[vocabulary.id(END)] *= 2.0  # some outputs end early
    expected, lengths = [], set()
    for text in TEXTS:
        source = torch.tensor([vocabulary.source(text, "de")])
        target = [vocabulary.id(START)]
        while len(target) <= 9 and target[-1] != vocabulary.id(END):
            logits = model(source, torch.ones_like(source, dtype=torch.bool), torch.tensor([target])).logits
            target.append(int(logits[0, -1].argmax()))
        lengths.add(len(target))
        expected.append(vocabulary.decode(target))
    assert len(set(expected)) > 1
    assert len(lengths) > 1
    assert translate(model, vocabulary, TEXTS, "de", device="cpu", max_new_tokens=9) == expected
    assert vocabulary.examples([Pair("a", "b", "de")])[0][0][0] == vocabulary.id("<de>")
