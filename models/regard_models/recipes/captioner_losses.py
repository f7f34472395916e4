"""The loss on human captions, the first phase of a captioner's training."""

import torch
from torch import Tensor
from torch.nn import functional

from regard_models.attention.hard import hard_attention_loss
from regard_models.nets.captioner import Captioner
from regard_models.nets.captioner_lstm import Draws, LstmCaptioner, doubly_stochastic_penalty
from regard_models.recipes.captioner_data import CaptionBatch
from regard_models.recipes.corpus import IGNORED_LABEL

LABEL_SMOOTHING = 0.1
LOOK_EVERYWHERE = 1.0  # lambda of Xu et al. 2015, equation 14


def caption_loss(model: Captioner, batch: CaptionBatch) -> Tensor:
    """Cross-entropy with label smoothing, in nats per token; for an LSTM also the loss of its attention: the doubly
    stochastic penalty of soft attention, the REINFORCE terms of hard attention (Xu et al. 2015, section 4).
    """
    features = batch.features.float()
    if not isinstance(model, LstmCaptioner):
        return _cross_entropy(model(features, batch.target).logits, batch.labels)
    output, draws = model.forward_with_draws(features, batch.target)
    if draws is not None:
        return _drawn_loss(model, output.logits, draws, batch.labels)
    loss = _cross_entropy(output.logits, batch.labels)
    if model.config.attention == "soft":
        mask = batch.labels != IGNORED_LABEL
        penalty = doubly_stochastic_penalty(output.cross_attention[0].squeeze(2), mask)
        loss = loss + LOOK_EVERYWHERE * penalty / mask.shape[2]
    return loss


def _cross_entropy(logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    return functional.cross_entropy(
        logits.flatten(0, 2),
        labels.flatten(),
        ignore_index=IGNORED_LABEL,
        label_smoothing=LABEL_SMOOTHING,
        reduction=reduction,
    )


def _drawn_loss(model: LstmCaptioner, logits: Tensor, draws: Draws, labels: Tensor) -> Tensor:
    """The loss of hard attention per token; the baseline follows the captions' likelihood."""
    mask = labels != IGNORED_LABEL
    nll = _cross_entropy(logits, labels, reduction="none").unflatten(0, labels.shape)
    log_likelihood = -nll.sum(2)[mask.any(2)]  # [captions]
    kept = mask.any(2)
    loss = hard_attention_loss(
        log_likelihood,
        draws.log_prob[kept],
        draws.entropy[kept],
        model.baseline.value.clone(),
        target_mask=mask[kept],
    )
    with torch.no_grad():
        model.baseline.update(log_likelihood)
    return loss * kept.sum() / mask.sum()
