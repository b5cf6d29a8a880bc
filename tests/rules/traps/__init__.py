"""Programs that are right although they look wrong, by the trap that they lay. Each runs in torch behind ``HEAD``."""

from __future__ import annotations

HEAD = """\
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
"""
