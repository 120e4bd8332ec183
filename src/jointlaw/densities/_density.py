"""What every density is: a module that returns a law."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from jointlaw.laws import Law


class Density(nn.Module, ABC):
    """A module that returns a law, of the joint embedding or of the target given the context.

    ``density()`` is the law of ``Z = [z_c, z_t]`` with ``event_shape`` ``[d_c + d_t]``; ``density(context)`` is
    ``p(z_t | z_c)`` with ``batch_shape`` ``[B]``. A predictor, which has no law of the context, requires the context.

    ``forward`` changes no state. What a density learns it learns by gradient, in ``update``, or in a method of its own
    (``fit``, ``partial_fit``). Everything it knows is a parameter or a buffer, so that it follows ``to()`` and
    ``state_dict``.

    >>> import torch
    >>> from jointlaw.densities import Fitted
    >>> from jointlaw.laws import JointGaussian
    >>> factor = torch.tensor([[1.0, 0.0], [0.8, 0.6]])  # of unit variances and a correlation of 0.8
    >>> density = Fitted(JointGaussian(torch.zeros(2), factor, split=1))
    >>> density(torch.tensor([[1.0]])).mean
    tensor([[0.8000]])
    """

    @abstractmethod
    def forward(self, context: Tensor | None = None) -> Law:
        """Return the joint law, or the law of the target given the ``context`` ``[B, d_c]``.

        Raises:
            ValueError: if the density cannot do without the context and none is given, or its width is another.
        """

    def update(self, z: Tensor) -> None:
        """Let moving statistics follow a batch ``[*, B, E]``; by default there are none.

        Args:
            z: joint embeddings, or contexts where the density has statistics of these. Every process of several holds
                an equal part of the batch.

        Raises:
            ValueError: if the width is another.
        """
