"""How each part of the pipeline is, and what the hops did."""
