"""A cluster made by kind on this machine's engine, with a fence, a world outside and a load balancer."""
