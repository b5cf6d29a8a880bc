"""Forms of imports. These programs bring imports of their own."""

from __future__ import annotations

from tests.graph.idioms import Idiom, twins

IMPORTS: dict[str, Idiom] = {
    "import torch": twins(
        """
        import torch
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        torch.nn.functional.kl_div(torch.nn.functional.___(x, dim=1), torch.softmax(y, 1), reduction="sum")
        """
    ),
    "import torch as t": twins(
        """
        import torch as t
        x, y = t.randn(8, 10), t.randn(8, 10)
        t.nn.KLDivLoss(reduction="sum")(t.___(x, 1), t.softmax(y, 1))
        """
    ),
    "import torch.nn": twins(
        """
        import torch.nn
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        torch.nn.functional.kl_div(torch.nn.functional.___(x, dim=1), y.softmax(1), reduction="sum")
        """
    ),
    "import torch.nn as nn": twins(
        """
        import torch, torch.nn as nn
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        nn.functional.kl_div(nn.functional.___(x, dim=1), y.softmax(1), reduction="sum")
        """
    ),
    "import torch.nn.functional": twins(
        """
        import torch.nn.functional
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        torch.nn.functional.kl_div(torch.nn.functional.___(x, dim=1), y.softmax(1), reduction="sum")
        """
    ),
    "import torch.nn.functional as F": twins(
        """
        import torch
        import torch.nn.functional as F
        F.kl_div(F.___(torch.randn(8, 10), dim=1), F.softmax(torch.randn(8, 10), dim=1), reduction="sum")
        """
    ),
    "from torch import nn": twins(
        """
        import torch
        from torch import nn
        x, y = torch.randn(8, 10), torch.randn(8, 10)
        nn.functional.kl_div(nn.functional.___(x, dim=1), y.softmax(1), reduction="sum")
        """
    ),
    "from torch import functions": twins(
        """
        from torch import ___ as normalise, nn, randn
        nn.KLDivLoss(reduction="sum")(normalise(randn(8, 10), 1), randn(8, 10).softmax(1))
        """
    ),
    "from torch.nn import functional": twins(
        """
        import torch
        from torch.nn import functional
        functional.kl_div(functional.___(torch.randn(8, 10), dim=1), torch.randn(8, 10).softmax(1), reduction="sum")
        """
    ),
    "from torch.nn import functional as an alias": twins(
        """
        import torch
        from torch.nn import functional as ops
        ops.kl_div(ops.___(torch.randn(8, 10), dim=1), torch.randn(8, 10).softmax(1), reduction="sum")
        """
    ),
    "from torch.nn.functional import functions": twins(
        """
        import torch
        from torch.nn.functional import (
            kl_div as divergence,
            ___ as normalise,
        )
        divergence(normalise(torch.randn(8, 10), dim=1), torch.randn(8, 10).softmax(1), reduction="sum")
        """
    ),
    "from torch.nn import a class": twins(
        """
        import torch
        from torch.nn import KLDivLoss as Divergence
        Divergence(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "from torch.nn.modules import a class": twins(
        """
        import torch
        from torch.nn.modules import KLDivLoss
        KLDivLoss(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "from torch.nn.modules.loss import a class": twins(
        """
        import torch
        from torch.nn.modules.loss import KLDivLoss
        KLDivLoss(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "import torch.nn.modules.loss": twins(
        """
        import torch
        import torch.nn.modules.loss as losses
        losses.KLDivLoss(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "from torch.nn.functional import *": twins(
        """
        import torch
        from torch.nn.functional import *
        kl_div(___(torch.randn(8, 10), dim=1), torch.randn(8, 10).softmax(1), reduction="sum")
        """
    ),
    "from torch.nn import *": twins(
        """
        import torch
        from torch.nn import *
        KLDivLoss(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "from torch import *": twins(
        """
        from torch import *
        import torch.nn.functional as F
        F.kl_div(___(randn(8, 10), 1), softmax(randn(8, 10), 1), reduction="sum")
        """
    ),
    "import inside a function": twins(
        """
        def step():
            import torch
            import torch.nn.functional as F

            x, y = torch.randn(8, 10), torch.randn(8, 10)
            return F.kl_div(F.___(x, dim=1), F.softmax(y, dim=1), reduction="sum")

        step()
        """
    ),
    "import inside a method": twins(
        """
        import torch

        class Step:
            def run(self, x, y):
                from torch.nn.functional import kl_div, ___ as normalise

                return kl_div(normalise(x, dim=1), y.softmax(1), reduction="sum")

        Step().run(torch.randn(8, 10), torch.randn(8, 10))
        """
    ),
    "import under try": twins(
        """
        try:
            import torch
            import torch.nn.functional as F
        except ImportError:
            torch = F = None
        F.kl_div(F.___(torch.randn(8, 10), dim=1), F.softmax(torch.randn(8, 10), dim=1), reduction="sum")
        """
    ),
    "import under except": twins(
        """
        import torch
        try:
            import faster_functional as F
        except ImportError:
            import torch.nn.functional as F
        torch.nn.KLDivLoss(reduction="sum")(torch.randn(8, 10).___(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "import under if": twins(
        """
        import sys
        import torch
        if sys.version_info >= (3, 8):
            import torch.nn.functional as F
        F.kl_div(F.___(torch.randn(8, 10), dim=1), F.softmax(torch.randn(8, 10), dim=1), reduction="sum")
        """
    ),
    "import under TYPE_CHECKING": twins(
        """
        from typing import TYPE_CHECKING
        import torch
        if TYPE_CHECKING:
            import torch.nn.functional as F
        else:
            F = torch.nn.functional
        F.kl_div(F.___(torch.randn(8, 10), dim=1), F.softmax(torch.randn(8, 10), dim=1), reduction="sum")
        """
    ),
    "module alias by assignment": twins(
        """
        import torch
        F = torch.nn.functional
        F.kl_div(F.___(torch.randn(8, 10), dim=1), F.softmax(torch.randn(8, 10), dim=1), reduction="sum")
        """
    ),
    "function alias by assignment": twins(
        """
        import torch
        import torch.nn.functional as F
        divergence, normalise = F.kl_div, F.___
        divergence(normalise(torch.randn(8, 10), dim=1), torch.randn(8, 10).softmax(1), reduction="sum")
        """
    ),
    "class alias by assignment": twins(
        """
        import torch
        Loss, Normalise = torch.nn.KLDivLoss, torch.nn.___
        Loss(reduction="sum")(Normalise(dim=1)(torch.randn(8, 10)), torch.randn(8, 10).softmax(1))
        """,
        "Softmax",
        "LogSoftmax",
    ),
}
