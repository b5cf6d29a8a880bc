"""What torch means, as tables; and the reading of a graph in these terms."""
