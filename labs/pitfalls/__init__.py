"""What the article leaves out and engineers meet: size, loss, hairpin, UDP, affinity, policies."""
