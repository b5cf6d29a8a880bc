"""What the code computes, as a graph of immutable nodes. Knows Python; knows torch only through a ``Library``."""
