"""Match the embeddings of your own data to a sparse law, in a training loop of your own.

    python examples/sparse_codes.py

No images and no framework: 2,000 correlated vectors, an MLP, and the distance to a law in which a tenth of the units
fire. Prints the planned and the measured share of active units.
"""

import torch

from jointlaw import MLP, Embeddings, RectifiedGeneralizedGaussian, RectifiedLpJEPA


def main(steps: int = 300) -> float:
    torch.manual_seed(0)
    data = torch.randn(2000, 10) @ torch.randn(10, 40)
    law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
    network = MLP((40, 256, 256, 64), bias=False)  # thresholds say where a unit lies
    objective = RectifiedLpJEPA(law)
    optimizer = torch.optim.AdamW([*network.parameters(), *objective.parameters()], lr=2e-3)
    for _ in range(steps):
        batch = data[torch.randint(len(data), (256,))]
        views = torch.stack([network(batch + 0.3 * torch.randn_like(batch)) for _ in range(2)])
        z = Embeddings(context=views, target=views.detach())
        outcome = objective(z)
        optimizer.zero_grad()
        outcome.loss.backward()
        objective.update(z)  # thresholds and slices move on, once per batch
        optimizer.step()
    embeddings = objective.activate(network.eval()(data))
    active = float((embeddings > 0).float().mean())
    print(f"planned {float(law.activity):.3f}, measured {active:.3f}")
    return active


if __name__ == "__main__":
    main()
