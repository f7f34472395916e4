from pathlib import Path

import torch

from regard_models.checkpoint import Checkpoint
from regard_models.nets.recurrent import RecurrentConfig, RecurrentTranslator, load_translator
from regard_models.recipes.pairs import Pair
from regard_models.recipes.recurrent import greedy_bleu, save, tokenizer_of, translate
from regard_models.recipes.tokenizer import END, START
from regard_models.recipes.translation import Vocabulary

PAIRS = [Pair("A dog runs.", "Ein Hund rennt.", "de"), Pair("Two cats sleep on a chair.", "Zwei Katzen.", "de")]


def untrained() -> tuple[RecurrentTranslator, Vocabulary]:
    torch.manual_seed(0)
    vocabulary = Vocabulary(tokenizer_of(PAIRS))
    config = RecurrentConfig(vocabulary.tokenizer.get_vocab_size(), 8, 4, 8, style="luong", score="dot", cell="lstm")
    return RecurrentTranslator(config), vocabulary


def test_translations_are_the_best_tokens_one_after_the_other() -> None:
    net, vocabulary = untrained()
    texts = [pair.source for pair in PAIRS]
    for text, translation in zip(texts, translate(net, vocabulary, texts, device="cpu", max_new_tokens=6), strict=True):
        source = torch.tensor([vocabulary.source(text, "de")])
        target = [vocabulary.id(START)]
        while len(target) <= 6 and target[-1] != vocabulary.id(END):
            logits = net(source, torch.ones_like(source, dtype=torch.bool), torch.tensor([target])).logits
            target.append(int(logits[0, -1].argmax()))
        assert translation == vocabulary.decode(target)


def test_a_checkpoint_holds_the_net_in_half_precision(tmp_path: Path) -> None:
    net, vocabulary = untrained()
    save(tmp_path, net, vocabulary, {"name": "tiny"})
    checkpoint = Checkpoint.load(tmp_path)
    assert checkpoint.config.pop("family") == "regard-recurrent"
    loaded = load_translator(checkpoint.config, checkpoint.weights)
    assert loaded.config == net.config
    for name, weight in net.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], weight, atol=1e-3, rtol=1e-3)
    assert greedy_bleu(loaded, vocabulary, PAIRS, device="cpu") < 50
