"""One context, two right answers: fit a joint law to two arrays, condition it, and draw what it says.

    python examples/ambiguity.py [conditional.html]

Prints the region that holds 90 % of the target, and where the uncertainty comes from; with a file name, draws the
conditional density with its region.
"""

import sys
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch

from jointlaw import fit_mixture
from jointlaw.laws import JointMixture


def main() -> JointMixture:
    random = np.random.default_rng(0)
    context = random.normal(size=(3000, 1))
    target = random.choice([-1, 1], size=(3000, 1)) * (1 + 0.5 * context) + 0.1 * random.normal(size=(3000, 1))
    law = fit_mixture(np.hstack([context, target]), components=2, split=1)
    after = law.given(torch.tensor([[0.5]], dtype=torch.float64))
    region, where = after.highest_density_region(0.9), after.uncertainty()
    for low, high in zip(region.lower[0].tolist(), region.upper[0].tolist(), strict=True):
        print(f"90 % region: {low:.2f} to {high:.2f}")
    print(f"variance: {where.noise.item():.3f} noise + {where.ambiguity.item():.3f} ambiguity")
    return after


def draw(law: JointMixture, path: Path) -> None:
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)[:, None]
    density = law.log_prob(x).exp()
    shaded = density.where(law.highest_density_region(0.9).contains(x), 0.0)
    figure = go.Figure()
    figure.add_scatter(x=x[:, 0].numpy(), y=shaded.numpy(), fill="tozeroy", line_width=0, name="90 % region")
    figure.add_scatter(x=x[:, 0].numpy(), y=density.numpy(), name="density")
    figure.update_layout(xaxis_title="target", yaxis_title="density", title="target given context = 0.5")
    figure.write_html(path)


if __name__ == "__main__":
    conditional = main()
    if len(sys.argv) > 1:
        draw(conditional, Path(sys.argv[1]))
