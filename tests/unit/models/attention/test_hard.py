import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard_models.attention.dot import DotScore
from regard_models.attention.general import GeneralScore
from regard_models.attention.hard import HardAttention, MovingBaseline, hard_attention_loss
from regard_models.attention.soft import SoftAttention
from tests.unit.models.attention.helpers import (
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    seeded,
    sequence,
    softmax,
)

SPECS = sequence(6, 4)


def hard() -> HardAttention:
    return seeded(HardAttention(GeneralScore(6, 4)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_equals_numpy() -> None:
    inputs, attention = draw(SPECS), hard()
    x = arrays({**inputs, "scores": attention.score(inputs["query"], attention.score.prepare(inputs["memory"]))})
    weights = np.zeros_like(x["scores"])
    for b, t in np.ndindex(weights.shape[:2]):
        if x["mask"][b, t].any():
            weights[b, t, np.where(x["mask"][b, t], x["scores"][b, t], -np.inf).argmax()] = 1
    check_equal(attention(**inputs), [weights @ x["memory"], weights])


def test_first_of_equals_is_chosen() -> None:
    _, weights = HardAttention(DotScore())(torch.zeros(1, 1, 2), torch.ones(1, 3, 2))
    assert weights.tolist() == [[[1.0, 0.0, 0.0]]]


def test_mask() -> None:
    check_nothing_allowed(hard(), draw(SPECS))
    check_masked_is_ignored(hard(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(hard(), draw(SPECS))  # of the memory; the choice has none


def test_export() -> None:
    check_export(hard(), SPECS)


def test_sample_says_how_probable_its_choice_was() -> None:
    inputs, attention = draw(SPECS), hard()
    sample = attention.sample(*inputs.values(), generator=generator())
    x = arrays({**inputs, "scores": attention.score(inputs["query"], attention.score.prepare(inputs["memory"]))})
    probabilities, chosen = softmax(x["scores"], x["mask"]), sample.weights.detach().numpy()
    assert (chosen.sum(-1) == x["mask"].any(-1)).all()
    assert not (chosen.astype(bool) & ~x["mask"]).any()
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    check_equal(
        [sample.context, sample.log_prob, sample.entropy],
        [chosen @ x["memory"], (chosen * logs).sum(-1), -(probabilities * logs).sum(-1)],
    )


def test_choices_are_as_frequent_as_they_are_probable() -> None:
    num_draws = 20_000
    logits = torch.tensor([2.0, 0.0, 1.0, -1.0])
    attention, memory = HardAttention(DotScore()), torch.eye(4).expand(num_draws, 4, 4)
    mask = torch.tensor([True, True, True, False])
    sample = attention.sample(logits.expand(num_draws, 1, 4), memory, mask, generator=generator())
    expected = softmax(logits.numpy(), mask.numpy())
    np.testing.assert_allclose(sample.weights.mean((0, 1)).numpy(), expected, atol=4 * 0.5 / math.sqrt(num_draws))
    assert sample.weights[..., 3].sum() == 0


def test_gradients_of_log_prob_and_entropy() -> None:
    inputs, attention = draw(SPECS), hard()

    def call(query: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
        moved = {"query": query, "memory": inputs["memory"], "mask": inputs["mask"], "generator": generator()}
        sample = torch.func.functional_call(Sampler(attention), {"attention.score.key.weight": matrix}, (), moved)
        return sample.log_prob, sample.entropy

    matrix = attention.get_parameter("score.key.weight").detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(call, (inputs["query"].requires_grad_(), matrix))


def test_entry_that_takes_the_expectation_is_soft() -> None:
    inputs, attention = draw(SPECS), hard()
    sample = attention.sample(*inputs.values(), expected_share=1.0, generator=generator())
    context, weights = SoftAttention(attention.score)(**inputs)
    torch.testing.assert_close(sample.context, context)
    torch.testing.assert_close(sample.weights, weights)
    assert (sample.log_prob == 0).all()


def test_half_of_the_entries_take_the_expectation() -> None:
    query, memory = torch.zeros(1000, 2, 4), torch.eye(4).expand(1000, 4, 4)
    sample = HardAttention(DotScore()).sample(query, memory, expected_share=0.5, generator=generator())
    is_soft = (sample.weights == 0.25).all(-1)  # [batch, target]
    assert (is_soft[:, 0] == is_soft[:, 1]).all()
    assert 0.45 < is_soft.double().mean() < 0.55


def test_generator_makes_draws_repeatable() -> None:
    inputs, attention = draw(SPECS), hard()
    first, second = (attention.sample(*inputs.values(), generator=generator(3)).weights for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("baseline", [0.0, -1.3])
def test_expected_gradient_of_the_loss_is_that_of_the_lower_bound(baseline: float) -> None:
    """Sums over all choices, weighted by their probability, for any baseline."""
    logits = torch.randn(4, generator=generator(), dtype=torch.float64, requires_grad=True)
    theta = torch.randn(4, generator=generator(1), dtype=torch.float64, requires_grad=True)
    log_probs = logits.log_softmax(-1)
    entropy = -(log_probs.exp() * log_probs).sum()
    likelihoods = torch.nn.functional.logsigmoid(theta + 0.3 * logits)  # log p(y | s) of each choice s

    bound = (log_probs.exp() * likelihoods).sum() + 0.1 * entropy
    losses = [
        hard_attention_loss(
            likelihoods[s : s + 1],
            log_probs[None, s : s + 1],
            entropy[None, None],
            torch.tensor(baseline),
            entropy_weight=0.1,
        )
        for s in range(4)
    ]
    loss = (log_probs.exp().detach() * torch.stack(losses)).sum()
    for expected, result in zip(
        torch.autograd.grad(bound, [logits, theta], retain_graph=True),
        torch.autograd.grad(loss, [logits, theta]),
        strict=True,
    ):
        torch.testing.assert_close(-result, expected)


def test_loss_equals_numpy_and_leaves_padding_out() -> None:
    likelihood, baseline = torch.tensor([-2.0, -5.0]), torch.tensor(-3.0)
    log_prob, entropy = torch.tensor([[-0.5, -1.0], [-0.2, -9.0]]), torch.tensor([[0.3, 0.4], [0.5, 9.0]])
    target_mask = torch.tensor([[True, True], [True, False]])
    loss = hard_attention_loss(
        likelihood, log_prob, entropy, baseline, target_mask=target_mask, reward_weight=2.0, entropy_weight=0.1
    )
    first = -2.0 + 2.0 * (-2.0 + 3.0) * -1.5 + 0.1 * 0.7
    second = -5.0 + 2.0 * (-5.0 + 3.0) * -0.2 + 0.1 * 0.5
    assert loss.item() == pytest.approx(-(first + second) / 2)


def test_baseline_moves_and_is_saved() -> None:
    baseline = MovingBaseline(momentum=0.9)
    baseline.update(torch.tensor([-1.0, -3.0]))
    baseline.update(torch.tensor([-4.0]))
    assert baseline.value.item() == pytest.approx(0.9 * (0.1 * -2.0) + 0.1 * -4.0)
    assert "value" in baseline.state_dict()


def test_learns_to_look_where_the_answer_is() -> None:
    """The memory has the answer at the position whose key matches the query; REINFORCE must learn this."""
    torch.manual_seed(0)
    attention, read, baseline = HardAttention(GeneralScore(4, 6)), nn.Linear(6, 2), MovingBaseline()
    optimizer = torch.optim.Adam([*attention.parameters(), *read.parameters()], lr=0.03)

    def batch(size: int) -> tuple[Tensor, Tensor, Tensor]:
        wanted, answers = torch.randint(4, (size,)), torch.randint(2, (size, 4))
        memory = torch.cat([torch.eye(4).expand(size, 4, 4), nn.functional.one_hot(answers, 2)], dim=-1)
        return nn.functional.one_hot(wanted, 4).float()[:, None], memory, answers[torch.arange(size), wanted]

    for _ in range(150):
        query, memory, answer = batch(64)
        sample = attention.sample(query, memory)
        likelihood = -nn.functional.cross_entropy(read(sample.context[:, 0]), answer, reduction="none")
        loss = hard_attention_loss(likelihood, sample.log_prob, sample.entropy, baseline.value)
        baseline.update(likelihood)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    query, memory, _ = batch(200)
    _, weights = attention(query, memory)
    assert (weights[:, 0].argmax(-1) == query[:, 0].argmax(-1)).double().mean() > 0.95


class Sampler(nn.Module):
    """`sample` as a `forward`, so that `functional_call` can replace its parameters."""

    def __init__(self, attention: HardAttention) -> None:
        super().__init__()
        self.attention = attention
        self.forward = attention.sample
