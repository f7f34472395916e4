"""Recipe of `headlines`: one pointer-generator network for subjects of e-mails and headlines of news stories.

    python -m regard_models.recipes.summarizer --data DATA --out OUT [--steps 6300] [--device cuda]

A token before the source names the style. A short second training adds the coverage loss after the main training, as
in See et al. 2017, section 5.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from regard_models.attention.coverage import coverage_loss
from regard_models.checkpoint import Checkpoint
from regard_models.nets.pointer_generator import Decoded, PointerGeneratorConfig, PointerGeneratorNetwork
from regard_models.recipes.memory import keep_freed_memory
from regard_models.recipes.rouge import rouge
from regard_models.recipes.summaries import (
    STYLES,
    Document,
    Example,
    SummaryBatch,
    WordVocabulary,
    batches,
    collate,
    read_documents,
    without_repeats,
    without_unknowable,
)
from regard_models.recipes.tokenizer import END, UNKNOWN
from regard_models.recipes.training import TrainingLoop, TrainingPlan, endless, named
from regard_models.recipes.word_vocabulary import SPACE, WordUse, build_tokenizer, choose_words, words

FAMILY = "regard-pointer-generator"
MIN_EMAILS, MIN_STORIES = 20, 5
MAX_SOURCE = 120  # words of the source in training, with 96 % of all copyable words
MAX_TARGET = 24
MAX_SOURCE_SERVED = 400  # more than in training: later words change ROUGE-L on dev by only 0.2 points
GENERATION = {"num_beams": 4, "length_penalty": 1.0, "no_repeat_ngram_size": 2, "max_new_tokens": MAX_TARGET}
COVERAGE_SHARE = 0.15  # of the steps
CARD = {
    "name": "headlines",
    "task": "summarization",
    "description": "subjects for e-mails and headlines for news stories, in English",
    "source_languages": ["en"],
    "target_languages": ["en"],
    "styles": list(STYLES),
    "max_source_tokens": MAX_SOURCE_SERVED,
    "max_target_tokens": MAX_TARGET + 1,
    "generation": GENERATION,
    "data": "AESLC (e-mails and their subjects) and Reuters-21578, Distribution 1.0 (stories and their headlines)",
    "license": "AESLC: CC BY-NC-SA 4.0; Reuters-21578: for research purposes only",
    "weights_license": "for research and non-commercial use only, as the data are",
    "recipe": "models/regard_models/recipes/summarizer.py",
}


@dataclass(frozen=True)
class Stage:
    """A part of the training, with a learning rate that rises and falls once.

    Attributes:
        coverage_weight: see `loss_function`.
        email_share: see `epochs`.
    """

    name: str
    steps: int
    peak_rate: float
    coverage_weight: float = 0.0
    email_share: int = 1


def config_for(tokenizer: Tokenizer) -> PointerGeneratorConfig:
    """The architecture, with the vocabulary of a tokenizer."""
    vocabulary = WordVocabulary(tokenizer)
    return PointerGeneratorConfig(
        vocab_size=tokenizer.get_vocab_size(),
        embedding_width=192,
        encoder_width=256,
        decoder_width=384,
        attention_width=256,
        num_special=len(tokenizer.get_added_tokens_decoder()),
        unknown_id=vocabulary.id(UNKNOWN),
        end_id=vocabulary.id(END),
    )


def make_tokenizer(emails: Sequence[Document], stories: Sequence[Document]) -> Tokenizer:
    """The vocabulary of both collections, without the names of the e-mails."""
    uses = [WordUse(f"{document.text}\n{document.summary}" for document in part) for part in (emails, stories)]
    chosen = choose_words(*uses, min_emails=MIN_EMAILS, min_stories=MIN_STORIES)
    return build_tokenizer(chosen, [f"<{style}>" for style in STYLES])


def loss_function(model: PointerGeneratorNetwork, coverage_weight: float) -> Callable[[SummaryBatch], Tensor]:
    """The loss of See et al. 2017, equation 13: negative log-likelihood per label, plus the weighted coverage loss."""

    def loss_of(batch: SummaryBatch) -> Tensor:
        memory = model.encode(batch.source, batch.source_mask)
        decoded = model.decode(batch.target, memory)
        log_probs = model.label_log_probs(decoded, batch.labels, batch.source, batch.source_words, batch.copies)
        loss = -log_probs[batch.counts].mean()
        if coverage_weight:
            loss = loss + coverage_weight * coverage_loss(decoded.weights, decoded.coverage, batch.counts)
        return loss

    return loss_of


@torch.inference_mode()
def summarize(
    model: PointerGeneratorNetwork, vocabulary: WordVocabulary, examples: Sequence[Example], *, device: str
) -> list[list[int]]:
    """Summarizes greedily, in batches of 100, for dev scores in training; ids from `vocab_size` on are copies."""
    model.eval()
    end_id = vocabulary.id(END)
    results: list[list[int]] = []
    for first in range(0, len(examples), 100):
        batch = collate(examples[first : first + 100], vocabulary).to(device)
        source_words = batch.source_words.clamp_min(0)
        memory = model.encode(batch.source, batch.source_mask)
        state, tokens, written = model.start(memory), batch.target[:, 0], []
        for _ in range(MAX_TARGET):
            inputs = model.embedding(tokens)
            next_state, weights = model.step(inputs, state, memory)
            parts = (inputs, next_state.hidden, next_state.context, weights, state.coverage)
            decoded = Decoded(*(x[:, None] for x in parts))
            ids = model.distribution(decoded, batch.source, source_words)[:, 0].argmax(-1)
            written.append(ids)
            state = next_state
            copied = batch.source.gather(1, (ids - model.config.vocab_size).clamp_min(0)[:, None])[:, 0]
            tokens = torch.where(ids < model.config.vocab_size, ids, copied)
        rows = torch.stack(written, dim=1).tolist()
        results += [row[: row.index(end_id)] if end_id in row else row for row in rows]
    return results


def read(tokenizer: Tokenizer, document: Document, ids: Sequence[int], vocab_size: int) -> str:
    """The text of a summary; copied words are those of the source, in lower case."""
    pieces = [f"<{document.style}>", *words(tokenizer, document.text)]
    written = (tokenizer.id_to_token(i) or "" if i < vocab_size else pieces[i - vocab_size] for i in ids)
    return "".join(written).replace(SPACE, " ").strip()


def dev_scores(
    model: PointerGeneratorNetwork, vocabulary: WordVocabulary, documents: Sequence[Document], *, device: str
) -> dict[str, float]:
    """ROUGE of greedy summaries of documents of one style."""
    examples = [vocabulary.example(document, max_source=MAX_SOURCE) for document in documents]
    ids = summarize(model, vocabulary, examples, device=device)
    size = model.config.vocab_size
    written = [read(vocabulary.tokenizer, d, i, size) for d, i in zip(documents, ids, strict=True)]
    scores = rouge(written, [document.summary for document in documents])
    return {f"dev_{documents[0].style}_greedy_{name}": round(value, 2) for name, value in scores.items()}


def epochs(
    emails: Sequence[Example], stories: Sequence[Example], vocabulary: WordVocabulary, *, email_share: int
) -> Iterator[Iterator[SummaryBatch]]:
    """Yields epochs without end; each has every story once and every e-mail `email_share` times."""
    rng = random.Random(1)
    while True:
        yield batches([*stories, *email_share * list(emails)], vocabulary, max_tokens=4000, rng=rng)


def main() -> None:
    """Trains with the options of the command line."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    dev = {style: read_documents(options.data, style, "dev") for style in STYLES}
    emails, stories = (without_repeats(read_documents(options.data, style, "train"), dev[style]) for style in STYLES)
    tokenizer = _tokenizer(options.out / "tokenizer.json", emails, stories)
    vocabulary, config = WordVocabulary(tokenizer), config_for(tokenizer)
    coded_emails, coded_stories = (
        [vocabulary.example(document, max_source=MAX_SOURCE, max_target=MAX_TARGET) for document in part]
        for part in (emails, list(map(without_unknowable, stories)))
    )
    model = PointerGeneratorNetwork(config, dropout=options.dropout).to(options.device)
    scores: dict[str, float] = {}
    for stage in _stages(options.steps):
        loss_of = loss_function(model, stage.coverage_weight)
        passes = partial(epochs, coded_emails, coded_stories, vocabulary, email_share=stage.email_share)
        plan = TrainingPlan(stage.steps, peak_rate=stage.peak_rate, warmup_steps=300, decay_steps=7 * stage.steps // 10)
        TrainingLoop(
            options.out / stage.name,
            model,
            endless(passes),
            lambda batch, loss_of=loss_of: named(loss_of(batch)),  # type: ignore[misc]
            device=options.device,
        ).run(plan)
        for documents in dev.values():
            scores |= dev_scores(model, vocabulary, documents, device=options.device)
        print(stage.name, scores, flush=True)
    training = {"steps": options.steps, "device": options.device}
    weights = {name: x for name, x in model.state_dict().items() if name != "head.weight"}
    card = {**CARD, "training": training, "scores": scores}
    Checkpoint({"family": FAMILY, **config.to_json()}, weights, tokenizer, card).save(options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with aeslc and reuters21578_headlines")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6300, help="optimizer steps, in total over all calls")
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def _tokenizer(file: Path, emails: Sequence[Document], stories: Sequence[Document]) -> Tokenizer:
    """Trains the tokenizer on the first call; later calls, which continue the training, read it."""
    if not file.exists():
        make_tokenizer(emails, stories).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _stages(steps: int) -> tuple[Stage, Stage]:
    coverage_steps = round(COVERAGE_SHARE * steps)
    return (
        Stage("main", steps - coverage_steps, peak_rate=1e-3),
        Stage("coverage", coverage_steps, peak_rate=2e-4, coverage_weight=1.0, email_share=2),
    )


if __name__ == "__main__":
    keep_freed_memory()
    main()
