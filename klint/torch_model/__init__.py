"""What torch means, as tables; and the reading of a graph in these terms."""

from klint.torch_model import arithmetic, loss_calls, shapes, spaces

__all__ = ["arithmetic", "loss_calls", "shapes", "spaces"]
